/** Streams: how they are read, broken, resumed and left. */
import assert from "node:assert/strict";
import test from "node:test";

import { collect, failure, scripted } from "../lib/client.js";
import { event, hangUp, json, problem, silence, stream } from "../lib/scripted.js";

const start = { workflowId: "w", input: { n: 1 } };
const done = event(4, "done", { id: "exe_1", status: "completed", data: { n: 1 } });
const tokens = event(1, "token", "a") + event(2, "token", "b") + event(3, "token", "ü\n🙂");
const payloads = ["a", "b", "ü\n🙂"];

function payloadsOf(chunks: ReadonlyArray<{ type: string; payload?: unknown }>): unknown[] {
  return chunks.filter(({ type }) => type === "token").map(({ payload }) => payload);
}

test("a stream is its chunks, up to done", async (t) => {
  const text =
    ": hello\n\n" +
    event(1, "log", { message: "m" }) +
    event(2, "token", "a") +
    event(3, "data", { kind: "progress", data: 5 }) +
    "event: other\ndata: {}\n\n" +
    ": heartbeat\n\n" +
    event(4, "error", { code: "STEP_FAILED", message: "no" }) +
    event(5, "done", { id: "exe_1", status: "failed" });
  const { server, inferpipe } = await scripted(t, [stream(text, "hold")]);
  const chunks = await collect(inferpipe.executeStream(start));
  const timestamp = "2026-01-01T00:00:00.000Z";
  assert.deepEqual(chunks, [
    { type: "log", timestamp, payload: { message: "m" } },
    { type: "token", timestamp, payload: "a" },
    { type: "data", timestamp, payload: { kind: "progress", data: 5 } },
    { type: "error", timestamp, payload: { code: "STEP_FAILED", message: "no" } },
    { type: "done", timestamp, payload: { id: "exe_1", status: "failed" } },
  ]);
  await server.asked[0]?.closed; // nothing is left open behind done
  assert.equal(server.asked[0]?.headers.accept, "text/event-stream");
  assert.equal((JSON.parse(server.asked[0]?.body ?? "") as { mode: string }).mode, "stream");
});

test("it may come in any pieces", async (t) => {
  for (const text of [
    tokens + done,
    (tokens + done).replaceAll("\n", "\r\n"),
    (tokens + done).replaceAll("\n", "\r"),
  ]) {
    const bytes = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
    const { inferpipe } = await scripted(t, [stream(bytes, "end")]);
    const chunks = await collect(inferpipe.executeStream(start));
    assert.deepEqual(payloadsOf(chunks), payloads);
    assert.equal(chunks.length, 4);
  }
});

test("one that breaks goes on behind the last event", async (t) => {
  const { server, inferpipe } = await scripted(t, [
    stream(
      event(1, "token", "a") + event(2, "token", "b") + 'id: 3\nevent: token\ndata: {"ty',
      "break",
    ),
    hangUp,
    problem(503, "UNAVAILABLE"),
    stream(event(2, "token", "b") + event(3, "token", "ü\n🙂"), "end"), // with one that was seen
    stream(done, "end"),
  ]);
  const chunks = await collect(inferpipe.executeStream(start));
  assert.deepEqual(payloadsOf(chunks), payloads);
  assert.equal(chunks.at(-1)?.type, "done");
  const asked = server.asked.map(({ method, url, headers }) => [
    method,
    url,
    headers["last-event-id"],
  ]);
  const again = ["GET", "/v1/executions/exe_1/events", "2"];
  assert.deepEqual(asked, [
    ["POST", "/v1/workflows/w/executions", undefined],
    again,
    again,
    again,
    ["GET", "/v1/executions/exe_1/events", "3"],
  ]);
});

test("one that breaks before its head is started again, under the same key", async (t) => {
  const { server, inferpipe } = await scripted(t, [hangUp, stream(tokens + done, "end")]);
  assert.equal((await collect(inferpipe.executeStream(start))).length, 4);
  assert.equal(
    server.asked[0]?.headers["idempotency-key"],
    server.asked[1]?.headers["idempotency-key"],
  );
  assert.match(String(server.asked[0]?.headers["idempotency-key"]), /^[0-9a-f-]{36}$/);
});

test("it is given up when no server is heard of for the time of the call", async (t) => {
  const { inferpipe } = await scripted(t, [stream(event(1, "token", "a"), "break"), hangUp]);
  const error = await failure(collect(inferpipe.executeStream({ ...start, timeoutMs: 2000 })));
  assert.equal(`${error.code} ${error.executionId}`, "UNAVAILABLE exe_1");
});

test("what a server refuses is not asked for again", async (t) => {
  const errors: string[] = [];
  const { server, inferpipe } = await scripted(
    t,
    [stream(event(1, "token", "a"), "break"), problem(404, "NOT_FOUND")],
    { onError: (error) => void errors.push(error.code) },
  );
  const error = await failure(collect(inferpipe.executeStream(start)));
  assert.equal(`${error.code} ${error.executionId}`, "NOT_FOUND exe_1");
  assert.equal(server.asked.length, 2);
  assert.deepEqual(errors, ["NOT_FOUND"]);
  server.script(problem(404, "NOT_FOUND"));
  assert.equal((await failure(collect(inferpipe.executeStream(start)))).code, "NOT_FOUND");
});

test("a stream without an end that is silent is broken", async (t) => {
  const { inferpipe } = await scripted(t, [silence]);
  const error = await failure(collect(inferpipe.executeStream({ ...start, timeoutMs: 100 })));
  assert.equal(error.code, "TIMEOUT");
});

test("leaving the loop closes the connection", async (t) => {
  const { server, inferpipe } = await scripted(t, [stream(tokens, "hold")]);
  for await (const chunk of inferpipe.executeStream(start)) {
    assert.equal(chunk.payload, "a");
    break;
  }
  await server.asked[0]?.closed;
  assert.equal(server.asked.length, 1);
});

test("return ends it while it waits for an event", async (t) => {
  const { server, inferpipe } = await scripted(t, [stream(event(1, "token", "a"), "hold")]);
  const chunks = inferpipe.executeStream(start)[Symbol.asyncIterator]();
  assert.equal((await chunks.next()).done, false);
  const pending = chunks.next();
  await chunks.return?.();
  assert.deepEqual(await pending, { done: true, value: undefined });
  assert.deepEqual(await chunks.next(), { done: true, value: undefined });
  await server.asked[0]?.closed;
});

test("a signal ends it with ABORTED", async (t) => {
  const { server, inferpipe } = await scripted(t, [stream(event(1, "token", "a"), "hold")]);
  const abort = new AbortController();
  const error = await failure(
    (async () => {
      for await (const chunk of inferpipe.executeStream(start, { signal: abort.signal }))
        if (chunk.payload === "a") abort.abort();
    })(),
  );
  assert.equal(error.code, "ABORTED");
  await server.asked[0]?.closed;
});

test("nothing is sent before the iteration begins", async (t) => {
  const { server, inferpipe } = await scripted(t, [stream(done, "end")]);
  const chunks = inferpipe.executeStream(start);
  await inferpipe.health().catch(() => undefined);
  assert.equal(server.asked.filter(({ method }) => method === "POST").length, 0);
  server.script(stream(done, "end"));
  assert.equal((await collect(chunks)).length, 1);
});

test("an event that is not JSON is an error", async (t) => {
  const { inferpipe } = await scripted(t, [stream("id: 1\nevent: token\ndata: {\n\n", "hold")]);
  const error = await failure(collect(inferpipe.executeStream(start)));
  assert.equal(error.code, "SERVER_ERROR");
});

test("a JSON answer where a stream was asked for is an error", async (t) => {
  const { inferpipe } = await scripted(t, [json(200, { id: "exe_1" })]);
  const error = await failure(collect(inferpipe.executeStream({ ...start, timeoutMs: 10_000 })));
  assert.equal(error.code, "SERVER_ERROR");
});
