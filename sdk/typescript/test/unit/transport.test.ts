/** Connections, hooks and signals. */
import assert from "node:assert/strict";
import test from "node:test";

import type { InferPipeError, RequestInfo, ResponseInfo } from "@inferpipe/sdk";

import { client, failure, scripted } from "../lib/client.js";
import { hangUp, json, problem, silence } from "../lib/scripted.js";
import type { Step } from "../lib/scripted.js";

const running = json(200, { id: "exe_1", status: "running" });

test("connections are kept, or not", async (t) => {
  const { server, inferpipe } = await scripted(t, [running]);
  for (let i = 0; i < 5; i++) await inferpipe.getExecution("exe_1");
  assert.equal(server.connections, 1);
  const single = client(server.url, { httpOptions: { keepAlive: false } });
  for (let i = 0; i < 5; i++) await single.getExecution("exe_1");
  assert.equal(server.connections, 6);
});

test("maxSockets bounds the connections at once", async (t) => {
  const waiting: Array<() => void> = [];
  const wait: Step = (response, asked, request) =>
    void waiting.push(() => running(response, asked, request));
  const { server, inferpipe } = await scripted(t, [wait], { httpOptions: { maxSockets: 3 } });
  const all = Array.from({ length: 10 }, () => inferpipe.getExecution("exe_1"));
  for (let answered = 0; answered < 10; answered++) {
    await server.requests(Math.min(answered + 3, 10));
    assert.ok(server.asked.length <= answered + 3);
    waiting.shift()?.();
    await Promise.race(all.slice(answered));
  }
  await Promise.all(all);
  assert.equal(server.most, 3);
});

test("a connection that is silent for too long is given up", async (t) => {
  const { server, inferpipe } = await scripted(t, [silence], {
    httpOptions: { timeout: 100 },
    retries: 0,
  });
  const error = await failure(inferpipe.getExecution("exe_1"));
  assert.equal(`${error.code}: ${error.message}`, "UNAVAILABLE: the server was silent for 100 ms");
  await server.asked[0]?.closed;
});

test("hooks hear of every request and answer, and of the end", async (t) => {
  const heard: string[] = [];
  const requests: RequestInfo[] = [];
  const responses: ResponseInfo[] = [];
  const errors: InferPipeError[] = [];
  const steps = [hangUp, problem(503, "UNAVAILABLE"), problem(404, "NOT_FOUND")];
  const { server, inferpipe } = await scripted(t, steps, {
    onRequest: (request) => void (heard.push("request"), requests.push(request)),
    onResponse: (response) => void (heard.push("response"), responses.push(response)),
    onError: (error) => void (heard.push("error"), errors.push(error)),
  });
  const error = await failure(inferpipe.getExecution("exe_1"));
  assert.deepEqual(heard, ["request", "request", "response", "request", "response", "error"]);
  assert.deepEqual(
    requests.map(({ attempt }) => attempt),
    [1, 2, 3],
  );
  assert.equal(requests[0]?.url, `${server.url}/v1/executions/exe_1`);
  assert.equal(requests[0]?.headers["authorization"], "Bearer ***");
  assert.deepEqual(
    responses.map(({ status, requestId }) => `${status} ${requestId}`),
    ["503 req-1", "404 req-1"],
  );
  assert.ok((responses[0]?.durationMs ?? -1) >= 0);
  assert.deepEqual(errors, [error]);
  assert.doesNotMatch(JSON.stringify([requests, responses, errors]), /ifp_key/);
});

test("what a hook throws stays with it", async (t) => {
  const throws = (): void => {
    throw new Error("of a hook");
  };
  const rejects = (): Promise<void> => Promise.reject(new Error("of a hook"));
  for (const hook of [throws, rejects]) {
    const { server, inferpipe } = await scripted(t, [running], {
      onRequest: hook,
      onResponse: hook,
      onError: hook,
    });
    assert.equal((await inferpipe.getExecution("exe_1")).status, "running");
    server.script(problem(404, "NOT_FOUND"));
    assert.equal((await failure(inferpipe.getExecution("exe_1"))).code, "NOT_FOUND");
  }
});

test("a signal ends a call, wherever it is", async (t) => {
  const { server, inferpipe } = await scripted(t, [silence]);
  const abort = new AbortController();
  const call = failure(inferpipe.execute({ workflowId: "w", input: 1 }, { signal: abort.signal }));
  await server.requests(1);
  abort.abort(new Error("the user left"));
  const error = await call;
  assert.equal(error.code, "ABORTED");
  assert.equal((error.cause as Error).message, "the user left");
  await server.asked[0]?.closed;

  const before = await failure(inferpipe.health({ signal: abort.signal }));
  assert.equal(before.code, "ABORTED");
  assert.equal(server.asked.length, 1);

  const limited = json(429, { code: "RATE_LIMITED", message: "x" }, { "retry-after": "20" });
  server.script(limited);
  const pausing = new AbortController();
  const paused = failure(inferpipe.getExecution("exe_1", { signal: pausing.signal }));
  await server.requests(2);
  pausing.abort();
  assert.equal((await paused).code, "ABORTED");
});
