/** Each method, and each common error, against a real server. */
import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { InferPipe } from "@inferpipe/sdk";
import type { InferPipeConfig } from "@inferpipe/sdk";

import { failure } from "../lib/client.js";
import { Site, until } from "../lib/live.js";

let site: Site;
let url: string;
let inferpipe: InferPipe;

function client(config: Partial<InferPipeConfig> = {}): InferPipe {
  const made = { apiKey: site.key, workspaceId: "default", baseUrl: url, ...config };
  const opened = new InferPipe(made);
  after(() => opened.close());
  return opened;
}

before(async () => {
  site = Site.open();
  url = (await site.serve()).url;
  inferpipe = client();
});

after(async () => {
  await site?.close();
});

const slow = { workflowId: "chat-assist", input: { prompt: "Hi", paceMs: 60_000 } };

test("an execution is looked at, and canceled, once", async () => {
  const started = await inferpipe.executeAsync({ ...slow, metadata: { a: 1 } });
  assert.match(started.id, /^exe_\w{13}$/);
  assert.equal(started.status, "queued");
  await until("it runs", async () => {
    return (await inferpipe.getExecution(started.id)).status === "running";
  });
  const running = await inferpipe.getExecution(started.id);
  assert.ok(running.startedAt && running.createdAt && running.updatedAt);
  assert.equal(running.data, undefined);
  await inferpipe.cancelExecution(started.id);
  const error = await failure(inferpipe.waitForExecution(started.id));
  assert.deepEqual([error.code, error.status, error.executionId], ["CANCELED", 409, started.id]);
  assert.equal((await inferpipe.getExecution(started.id)).status, "canceled");
  const again = await failure(inferpipe.cancelExecution(started.id));
  assert.deepEqual([again.code, again.status], ["CONFLICT", 409]);
});

test("a call whose time is over names the execution, which goes on", async () => {
  const error = await failure(inferpipe.execute({ ...slow, timeoutMs: 5000 }));
  assert.equal(error.code, "TIMEOUT");
  const id = error.executionId ?? "";
  assert.match((await inferpipe.getExecution(id)).status, /^(queued|running)$/);
  await inferpipe.cancelExecution(id);
});

test("a failed execution brings its code, by execute and by waiting", async () => {
  const bad = { workflowId: "translation", input: { text: "hello", targetLanguage: "tlh" } };
  const error = await failure(inferpipe.execute(bad));
  assert.equal(error.code, "INVALID_INPUT");
  assert.match(error.message, /tlh: es, fr and de are known/);
  assert.ok(error.executionId && error.requestId);
  const { id } = await inferpipe.executeAsync(bad);
  const waited = await failure(inferpipe.waitForExecution(id));
  assert.deepEqual([waited.code, waited.status], [error.code, error.status]);
  const chunks = [];
  for await (const chunk of inferpipe.executeStream(bad)) chunks.push(chunk);
  assert.deepEqual(
    chunks.map(({ type }) => type),
    ["error", "done"],
  );
  assert.equal((chunks[0]?.payload as { code: string }).code, "INVALID_INPUT");
});

test("common errors have their codes", async () => {
  const input = { workflowId: "test-echo", input: 1 };
  for (const [call, code, status] of [
    [
      () => client({ apiKey: "ifp_abcdefghijkl_" + "A".repeat(43) }).execute(input),
      "UNAUTHORIZED",
      401,
    ],
    [() => client({ workspaceId: "somebody-else" }).execute(input), "FORBIDDEN", 403],
    [() => inferpipe.execute({ workflowId: "no-such-workflow", input: 1 }), "NOT_FOUND", 404],
    [() => inferpipe.getExecution("exe_0000000000000"), "NOT_FOUND", 404],
    [() => inferpipe.execute({ ...input, priority: 9 }), "INVALID_INPUT", 400],
  ] as const) {
    const error = await failure(call());
    assert.deepEqual([error.code, error.status], [code, status]);
    assert.ok(error.requestId);
  }
  const { errors } = await failure(inferpipe.execute({ ...input, priority: 9 }));
  assert.equal(errors?.[0]?.pointer, "/priority");
});

test("over its rate a key is RATE_LIMITED, and the pause is kept to", async () => {
  const limited = client({ apiKey: site.makeKey("--rate", "1/s", "--burst", "2") });
  const input = { workflowId: "test-echo", input: 1 };
  const calls = Array.from({ length: 20 }, () => limited.executeAsync(input));
  const errors = (await Promise.allSettled(calls)).filter(({ status }) => status === "rejected");
  assert.ok(errors.length > 0);
  for (const { reason } of errors as PromiseRejectedResult[])
    assert.deepEqual([reason.code, reason.status], ["RATE_LIMITED", 429]);
  // With a key of its own a start comes again after the pause, and succeeds.
  const result = await limited.execute({ ...input, retry: { attempts: 10 } });
  assert.equal(result.data, 1);
});

test("a trace goes in and comes out", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const parentId = `00-${traceId}-b7ad6b7169203331-01`;
  const trace = { parentId, tags: { team: "sdk" } };
  const result = await inferpipe.execute({ workflowId: "test-echo", input: 1, trace });
  assert.equal(result.trace?.id, traceId);
});

test("what a result costs is told", async () => {
  const topic = { workflowId: "content-generation", input: { topic: "tests" } };
  const { cost, durationMs } = await inferpipe.execute(topic);
  assert.ok((cost?.tokens ?? 0) > 0 && (cost?.usd ?? 0) > 0 && (durationMs ?? -1) >= 0);
});

test("large and odd inputs come back as they were", async () => {
  for (const input of [
    null,
    [],
    "",
    "ü🙂\u2028",
    { "a/b": { "~": [1e-7, -0.5] } },
    "x".repeat(500_000),
  ])
    assert.deepEqual((await inferpipe.execute({ workflowId: "test-echo", input })).data, input);
});
