/** MockInferPipe, as the unit tests of a user would have it. */
import assert from "node:assert/strict";
import test from "node:test";

import { InferPipe } from "@inferpipe/sdk";
import { MockInferPipe } from "@inferpipe/sdk/testing";

import { collect, failure } from "../lib/client.js";

test("it is an InferPipe, to types and to instanceof", async () => {
  const mock: InferPipe = new MockInferPipe();
  assert.ok(mock instanceof InferPipe);
  assert.equal((await mock.health()).status, "healthy");
});

test("a workflow returns what was said, and calls are kept", async () => {
  const mock = new MockInferPipe();
  mock.on("double").returns((input: { n: number }) => input.n * 2);
  const result = await mock.execute<{ n: number }, number>({
    workflowId: "double",
    input: { n: 21 },
    metadata: { a: 1 },
  });
  assert.equal(result.data, 42);
  assert.deepEqual(mock.calls, [
    {
      method: "execute",
      workflowId: "double",
      input: { n: 21 },
      options: { workflowId: "double", input: { n: 21 }, metadata: { a: 1 } },
    },
  ]);
  assert.equal((await mock.getExecution(result.id)).data, 42);
});

test("answers in a row, the last one for all later calls", async () => {
  const mock = new MockInferPipe();
  mock.on("w").refuses("UNAVAILABLE").fails("NO_STOCK", "only 3").returns("at last");
  const call = { workflowId: "w", input: null };
  const refused = await failure(mock.execute(call));
  assert.equal(`${refused.code} ${refused.executionId}`, "UNAVAILABLE undefined");
  const failed = await failure(mock.execute(call));
  assert.equal(`${failed.code} ${failed.status}`, "NO_STOCK 500");
  assert.equal((await mock.getExecution(failed.executionId ?? "")).status, "failed");
  assert.equal((await mock.execute(call)).data, "at last");
  assert.equal((await mock.execute(call)).data, "at last");
});

test("an unknown workflow or execution is NOT_FOUND", async () => {
  const mock = new MockInferPipe();
  assert.equal((await failure(mock.execute({ workflowId: "w", input: 1 }))).code, "NOT_FOUND");
  assert.equal((await failure(mock.getExecution("exe_1"))).code, "NOT_FOUND");
});

test("it streams", async () => {
  const mock = new MockInferPipe();
  mock.on("chat").streams("Hel", "lo").returns({ answer: "Hello" });
  const chunks = await collect(mock.executeStream({ workflowId: "chat", input: {} }));
  assert.deepEqual(
    chunks.map(({ type, payload }) => (type === "token" ? payload : type)),
    ["Hel", "lo", "done"],
  );
  mock.on("bad").fails("STEP_FAILED");
  const failed = await collect(mock.executeStream({ workflowId: "bad", input: {} }));
  assert.deepEqual(
    failed.map(({ type }) => type),
    ["error", "done"],
  );
});

test("one that hangs can be canceled, once", async () => {
  const mock = new MockInferPipe();
  mock.on("long").hangs();
  const { id, status } = await mock.executeAsync({ workflowId: "long", input: {} });
  assert.equal(status, "queued");
  assert.equal((await failure(mock.waitForExecution(id))).code, "TIMEOUT");
  await mock.cancelExecution(id);
  assert.equal((await failure(mock.cancelExecution(id))).code, "CONFLICT");
  assert.equal((await failure(mock.waitForExecution(id))).code, "CANCELED");
});

test("its webhooks verify, and reset forgets", async () => {
  const mock = new MockInferPipe();
  assert.ok(mock.webhooks.verify("body", mock.signWebhook("body")).valid);
  assert.ok(!mock.webhooks.verify("other", mock.signWebhook("body")).valid);
  mock.on("w").returns(1);
  mock.reset();
  assert.equal((await failure(mock.execute({ workflowId: "w", input: 1 }))).code, "NOT_FOUND");
  assert.equal(mock.calls.length, 1);
});
