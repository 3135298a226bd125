/** What is sent again, how often, and when. */
import assert from "node:assert/strict";
import test from "node:test";

import { delayOf, retryAfterMs } from "../../dist/esm/retry.js";
import { failure, scripted } from "../lib/client.js";
import { completed, hangUp, json, problem, silence } from "../lib/scripted.js";

const start = { workflowId: "w", input: { n: 1 } };

test("a start without a key is sent once", async (t) => {
  const { server, inferpipe } = await scripted(t, [hangUp]);
  const error = await failure(inferpipe.execute(start));
  assert.equal(`${error.code} ${error.status}`, "UNAVAILABLE undefined");
  assert.ok(error.cause instanceof Error);
  server.script(problem(503, "UNAVAILABLE"));
  assert.equal((await failure(inferpipe.executeAsync(start))).status, 503);
  assert.equal(server.asked.length, 2);
});

test("a start with a key is sent again, the same bytes", async (t) => {
  for (const step of [
    hangUp,
    problem(503, "UNAVAILABLE"),
    problem(504, "TIMEOUT"),
    problem(502, "X"),
  ]) {
    const { server, inferpipe } = await scripted(t, [step, json(200, completed)]);
    assert.deepEqual(await inferpipe.execute({ ...start, idempotencyKey: "k" }), completed);
    assert.equal(server.asked.length, 2);
    assert.equal(server.asked[1]?.headers["idempotency-key"], "k");
    assert.equal(server.asked[1]?.body, server.asked[0]?.body);
  }
});

test("with `retry` a start has a key of its own, the same for each attempt", async (t) => {
  const { server, inferpipe } = await scripted(t, [hangUp, hangUp, json(200, completed)]);
  const retry = { attempts: 3, backoff: "exponential", maxDelayMs: 50 } as const;
  await inferpipe.execute({ ...start, retry });
  const keys = server.asked.map(({ headers }) => headers["idempotency-key"]);
  assert.match(String(keys[0]), /^[0-9a-f-]{36}$/);
  assert.deepEqual(keys, [keys[0], keys[0], keys[0]]);
  assert.deepEqual((JSON.parse(server.asked[0]?.body ?? "") as { retry: unknown }).retry, retry);
  server.script(json(200, completed));
  await inferpipe.execute({ ...start, retry });
  assert.notEqual(server.asked[3]?.headers["idempotency-key"], keys[0]);
});

test("`attempts` bounds the requests; none at all is one", async (t) => {
  for (const [attempts, sent] of [
    [0, 1],
    [1, 1],
    [2, 2],
    [4, 4],
  ] as const) {
    const { server, inferpipe } = await scripted(t, [hangUp]);
    const retry = { attempts, backoff: "exponential", maxDelayMs: 5 } as const;
    await failure(inferpipe.execute({ ...start, retry }));
    assert.equal(server.asked.length, sent);
    const told = JSON.parse(server.asked[0]?.body ?? "") as { retry: { attempts: number } };
    assert.equal(told.retry.attempts, Math.max(1, attempts));
  }
});

test("`retries` of the client is for what only looks, and for keys", async (t) => {
  const { server, inferpipe } = await scripted(t, [hangUp], { retries: 1 });
  await failure(inferpipe.getExecution("exe_1"));
  assert.equal(server.asked.length, 2);
  await failure(inferpipe.execute({ ...start, idempotencyKey: "k" }));
  assert.equal(server.asked.length, 4);
  await failure(inferpipe.cancelExecution("exe_1"));
  assert.equal(server.asked.length, 5);
});

test("errors that will not pass are not met again", async (t) => {
  for (const status of [400, 401, 403, 404, 409, 422, 500]) {
    const { server, inferpipe } = await scripted(t, [problem(status, "ANY")]);
    await failure(inferpipe.execute({ ...start, idempotencyKey: "k" }));
    assert.equal(server.asked.length, 1, `status ${status}`);
  }
});

test("an execution that has failed is not asked for again", async (t) => {
  const ended = problem(504, "TIMEOUT", { executionId: "exe_1" });
  const { server, inferpipe } = await scripted(t, [ended]);
  const error = await failure(inferpipe.execute({ ...start, idempotencyKey: "k" }));
  assert.equal(error.executionId, "exe_1");
  assert.equal(server.asked.length, 1);
});

test("Retry-After is kept to", async (t) => {
  const limited = json(429, { code: "RATE_LIMITED", message: "slow" }, { "retry-after": "1" });
  const { inferpipe } = await scripted(t, [limited, json(200, completed)]);
  const begin = performance.now();
  await inferpipe.getExecution("exe_1");
  assert.ok(performance.now() - begin >= 999);
});

test("a pause that is longer than what is left ends the call at once", async (t) => {
  const limited = json(429, { code: "RATE_LIMITED", message: "slow" }, { "retry-after": "3600" });
  const { server, inferpipe } = await scripted(t, [limited]);
  const error = await failure(inferpipe.getExecution("exe_1"));
  assert.equal(error.code, "RATE_LIMITED");
  assert.equal(server.asked.length, 1);
});

test("the time of a call is for all its attempts", async (t) => {
  const { server, inferpipe } = await scripted(t, [hangUp, silence]);
  const begin = performance.now();
  const retry = { attempts: 10, maxDelayMs: 1 };
  const error = await failure(inferpipe.execute({ ...start, retry, timeoutMs: 1500 }));
  assert.equal(error.code, "TIMEOUT");
  assert.equal(server.asked.length, 2);
  assert.ok(performance.now() - begin >= 1499);
});

test("a wait for an execution outlives servers", async (t) => {
  const { server, inferpipe } = await scripted(
    t,
    [
      json(202, { id: "exe_1", status: "running" }),
      hangUp,
      problem(503, "UNAVAILABLE"),
      hangUp,
      hangUp,
      json(200, completed),
    ],
    { retries: 0 },
  );
  assert.deepEqual(await inferpipe.execute(start), completed);
  assert.equal(server.asked.filter(({ method }) => method === "POST").length, 1);
});

test("pauses grow, are drawn by lot, and have a cap", () => {
  const policy = { attempts: 9, backoff: "exponential", maxDelayMs: 1000 } as const;
  for (let i = 0; i < 200; i++) {
    assert.ok(delayOf(policy, 1) <= 200);
    assert.ok(delayOf(policy, 3) <= 800);
    assert.ok(delayOf(policy, 60) <= 1000);
    assert.ok(delayOf(policy, 1, 5000) === 5000);
  }
  const drawn = new Set(Array.from({ length: 50 }, () => delayOf(policy, 3)));
  assert.ok(drawn.size > 10);
  assert.equal(delayOf({ ...policy, backoff: "fixed" }, 7), 500);
  assert.equal(delayOf({ ...policy, backoff: "fixed", maxDelayMs: 20 }, 7), 20);
});

test("Retry-After is seconds or a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(retryAfterMs("7", now), 7000);
  assert.equal(retryAfterMs("Thu, 01 Jan 2026 00:00:09 GMT", now), 9000);
  assert.equal(retryAfterMs("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
  assert.equal(retryAfterMs("soon", now), 0);
  assert.equal(retryAfterMs(undefined, now), 0);
});
