/** What each method sends, and what it makes of the answer. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";

import { VERSION } from "@inferpipe/sdk";

import { client, failure, scripted } from "../lib/client.js";
import { completed, json, problem, silence } from "../lib/scripted.js";

const body = (text: string): unknown => JSON.parse(text);

test("execute sends what the contract says", async (t) => {
  const { server, inferpipe } = await scripted(t, [json(200, completed)], {
    headers: { "X-Custom": "yes", Authorization: "no" },
  });
  const result = await inferpipe.execute<{ text: string }, { n: number }>({
    workflowId: "a/b c",
    input: { text: "ü" },
    metadata: { customer: "c" },
    trace: { tags: { a: "b" } },
    priority: 2,
    queue: undefined,
  });
  assert.deepEqual(result, completed);
  const [asked] = server.asked;
  assert.ok(asked);
  assert.equal(`${asked.method} ${asked.url}`, "POST /v1/workflows/a%2Fb%20c/executions");
  assert.equal(asked.headers.authorization, "Bearer ifp_key");
  assert.equal(asked.headers["x-inferpipe-workspace"], "ws");
  assert.equal(asked.headers["x-custom"], "yes");
  assert.equal(asked.headers["content-type"], "application/json");
  assert.equal(asked.headers["idempotency-key"], undefined);
  assert.match(asked.headers["user-agent"] ?? "", new RegExp(`/${VERSION} node/`));
  assert.deepEqual(body(asked.body), {
    input: { text: "ü" },
    metadata: { customer: "c" },
    trace: { tags: { a: "b" } },
    priority: 2,
    mode: "sync",
    timeoutMs: 25000,
  });
});

test("the server is asked to wait less than the call may take", async (t) => {
  const { server, inferpipe } = await scripted(t, [json(200, completed)]);
  for (const [timeoutMs, wait] of [
    [4000, 3200],
    [20_000, 19_000],
    [600_000, 25_000],
  ]) {
    await inferpipe.execute({ workflowId: "w", input: 1, timeoutMs });
    assert.equal((body(server.asked.at(-1)?.body ?? "") as { timeoutMs: number }).timeoutMs, wait);
  }
});

test("executeAsync gives what was started", async (t) => {
  const info = {
    id: "exe_2",
    status: "queued",
    workflowId: "w",
    createdAt: "2026-01-01T00:00:00Z",
  };
  const { server, inferpipe } = await scripted(t, [json(202, info)]);
  assert.deepEqual(await inferpipe.executeAsync({ workflowId: "w", input: [] }), info);
  assert.deepEqual(body(server.asked[0]?.body ?? ""), { input: [], mode: "async" });
});

test("an idempotency key goes into the header, one that does not fit into the body", async (t) => {
  const { server, inferpipe } = await scripted(t, [json(200, completed)]);
  await inferpipe.execute({ workflowId: "w", input: 1, idempotencyKey: "order 7" });
  await inferpipe.execute({ workflowId: "w", input: 1, idempotencyKey: "bestellung-ü" });
  assert.equal(server.asked[0]?.headers["idempotency-key"], "order 7");
  assert.equal(
    (body(server.asked[0]?.body ?? "") as object as { idempotencyKey?: string }).idempotencyKey,
    undefined,
  );
  assert.equal(server.asked[1]?.headers["idempotency-key"], undefined);
  assert.equal(
    (body(server.asked[1]?.body ?? "") as { idempotencyKey: string }).idempotencyKey,
    "bestellung-ü",
  );
});

test("the server's wait is over first: the client goes on waiting", async (t) => {
  const running = { id: "exe_1", status: "running", workflowId: "w" };
  const { server, inferpipe } = await scripted(t, [
    json(202, running),
    json(200, running),
    json(200, { ...completed, updatedAt: "2026-01-01T00:00:00Z" }),
  ]);
  assert.deepEqual(await inferpipe.execute({ workflowId: "w", input: 1 }), completed);
  assert.equal(server.asked.length, 3);
  assert.match(server.asked[1]?.url ?? "", /^\/v1\/executions\/exe_1\?wait=\d+ms$/);
});

test("an execution that fails while the client waits is the server's error", async (t) => {
  const running = { id: "exe_1", status: "running" };
  const { server, inferpipe } = await scripted(t, [
    json(202, running),
    json(200, { id: "exe_1", status: "failed", error: { code: "NO_STOCK", message: "only 3" } }),
  ]);
  const failed = await failure(inferpipe.execute({ workflowId: "w", input: 1 }));
  assert.deepEqual(
    { ...failed },
    { name: "InferPipeError", code: "NO_STOCK", status: 500, executionId: "exe_1" },
  );
  assert.equal(failed.message, "only 3");
  server.script(json(202, running), json(200, { id: "exe_1", status: "canceled" }));
  const canceled = await failure(inferpipe.execute({ workflowId: "w", input: 1 }));
  assert.equal(`${canceled.code} ${canceled.status}`, "CANCELED 409");
});

test("a call ends when its time is over", async (t) => {
  const { server, inferpipe } = await scripted(t, [silence]);
  const start = performance.now();
  const error = await failure(inferpipe.execute({ workflowId: "w", input: 1, timeoutMs: 150 }));
  assert.equal(error.code, "TIMEOUT");
  assert.equal(error.status, undefined);
  assert.ok(performance.now() - start >= 149);
  await server.asked[0]?.closed; // and closes its connection
  server.script(json(202, { id: "exe_1", status: "running" }), silence);
  const known = await failure(inferpipe.execute({ workflowId: "w", input: 1, timeoutMs: 1000 }));
  assert.equal(`${known.code} ${known.executionId}`, "TIMEOUT exe_1");
});

test("an answer whose body does not end is over in time, too", async (t) => {
  const half = (response: import("node:http").ServerResponse): void => {
    response.writeHead(200, { "content-length": "100" });
    response.write("{");
  };
  const { inferpipe } = await scripted(t, [half], { timeoutMs: 150 });
  assert.equal((await failure(inferpipe.getExecution("exe_1"))).code, "TIMEOUT");
});

test("get, wait, cancel, health", async (t) => {
  const { server, inferpipe } = await scripted(t, [json(200, completed)]);
  assert.deepEqual(await inferpipe.getExecution("exe_1"), completed);
  assert.deepEqual(await inferpipe.waitForExecution("exe_1"), completed);
  server.script(json(202, { id: "exe_1", status: "running", cancelRequested: true }));
  assert.equal(await inferpipe.cancelExecution("exe_1"), undefined);
  server.script(json(200, { status: "healthy", version: "1", time: "now" }));
  assert.deepEqual(await inferpipe.health(), { status: "healthy", version: "1", time: "now" });
  assert.deepEqual(
    server.asked.map(({ method, url }) => `${method} ${url.replace(/\d+ms/, "Nms")}`),
    [
      "GET /v1/executions/exe_1",
      "GET /v1/executions/exe_1?wait=Nms",
      "POST /v1/executions/exe_1/cancel",
      "GET /health",
    ],
  );
});

test("errors carry what the server says", async (t) => {
  const errors = [{ pointer: "/input", message: "is missing" }];
  const { server, inferpipe } = await scripted(t, [problem(400, "INVALID_INPUT", { errors })]);
  const error = await failure(inferpipe.execute({ workflowId: "w", input: 1 }));
  assert.deepEqual(
    { ...error },
    { name: "InferPipeError", code: "INVALID_INPUT", status: 400, requestId: "req-1", errors },
  );
  assert.equal(error.message, "text of INVALID_INPUT");
  server.script(problem(500, "STEP_FAILED", { executionId: "exe_1" }));
  const failed = await failure(inferpipe.execute({ workflowId: "w", input: 1 }));
  assert.equal(`${failed.code} ${failed.executionId}`, "STEP_FAILED exe_1");
});

test("errors of somebody in between have a code, too", async (t) => {
  const { server, inferpipe } = await scripted(t, [silence], { retries: 0 });
  for (const [status, code] of [
    [401, "UNAUTHORIZED"],
    [403, "FORBIDDEN"],
    [404, "NOT_FOUND"],
    [429, "RATE_LIMITED"],
    [500, "SERVER_ERROR"],
    [502, "UNAVAILABLE"],
    [504, "TIMEOUT"],
    [302, "SERVER_ERROR"],
  ] as const) {
    server.script((response) => response.writeHead(status, { location: "/x" }).end("<html>"));
    const error = await failure(inferpipe.getExecution("exe_1"));
    assert.equal(`${error.status} ${error.code}`, `${status} ${code}`);
  }
  server.script((response) => response.writeHead(200).end("<html>"));
  const error = await failure(inferpipe.getExecution("exe_1"));
  assert.equal(`${error.code}: ${error.message}`, "SERVER_ERROR: the answer is not JSON");
});

test("packed answers are unpacked", async (t) => {
  const { server, inferpipe } = await scripted(t, [
    (response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(
        gzipSync(JSON.stringify({ id: "exe_1", status: "running", big: "x".repeat(1e5) })),
      );
    },
  ]);
  const status = await inferpipe.getExecution("exe_1");
  assert.equal((status as unknown as { big: string }).big.length, 1e5);
  assert.match(server.asked[0]?.headers["accept-encoding"]?.toString() ?? "", /gzip/);
  server.script((response) => {
    response.writeHead(200, { "content-encoding": "gzip" });
    response.end("not gzip");
  });
  const error = await failure(inferpipe.getExecution("exe_1", {}));
  assert.equal(error.code, "UNAVAILABLE");
});

test("traces: a parent passes through, an id gets a span, tags go into the body", async (t) => {
  const { server, inferpipe } = await scripted(t, [json(200, completed)]);
  const id = "0af7651916cd43dd8448eb211c80319c";
  const parent = `00-${id}-b7ad6b7169203331-01`;
  for (const parentId of [parent, id, undefined, "order-7"])
    await inferpipe.execute({ workflowId: "w", input: 1, trace: { parentId } });
  const sent = server.asked.map(({ headers }) => [
    headers["traceparent"],
    headers["x-inferpipe-trace"],
  ]);
  assert.deepEqual(sent[0], [parent, id]);
  assert.match(String(sent[1]?.[0]), new RegExp(`^00-${id}-(?!0{16})[0-9a-f]{16}-01$`));
  assert.match(String(sent[2]?.[0]), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.equal(sent[2]?.[1], String(sent[2]?.[0]).slice(3, 35));
  assert.deepEqual(sent[3], [undefined, undefined]);
  assert.deepEqual((body(server.asked[3]?.body ?? "") as { trace: unknown }).trace, {
    parentId: "order-7",
  });
});

test("what makes no sense is refused before anything is sent", async (t) => {
  const { server, inferpipe } = await scripted(t, [json(200, completed)]);
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  for (const call of [
    inferpipe.execute({ workflowId: "", input: 1 }),
    inferpipe.execute({ workflowId: "w", input: circle }),
    inferpipe.execute({ workflowId: "w", input: 1n }),
    inferpipe.getExecution(""),
    client(server.url, { headers: { "bad name": "x" } }).health(),
  ])
    assert.equal((await failure(call)).code, "INVALID_INPUT");
  assert.equal(server.asked.length, 0);
  for (const url of ["nonsense", "ftp://x", "http://u:p@x", "http://x/?a=b"])
    assert.throws(() => client(url), { name: "InferPipeError", code: "INVALID_INPUT" });
});

test("a base URL may have a path", async (t) => {
  const { server } = await scripted(t, [json(200, { status: "healthy" })]);
  const inferpipe = client(`${server.url}/inferpipe/`);
  t.after(() => inferpipe.close());
  await inferpipe.health();
  assert.equal(server.asked[0]?.url, "/inferpipe/health");
});

test("what is not configured comes from the environment", async (t) => {
  const { server } = await scripted(t, [json(200, completed)]);
  const before = { ...process.env };
  t.after(() => (process.env = before));
  delete process.env["INFERPIPE_API_KEY"];
  process.env["INFERPIPE_BASE_URL"] = server.url;
  const nobody = client("", { apiKey: "", baseUrl: undefined });
  t.after(() => nobody.close());
  const error = await failure(nobody.getExecution("exe_1"));
  assert.equal(error.code, "UNAUTHORIZED");
  assert.equal(server.asked.length, 0);
  await nobody.health(); // needs no key
  process.env["INFERPIPE_API_KEY"] = "ifp_env";
  process.env["INFERPIPE_WORKSPACE_ID"] = "ws-env";
  const somebody = client("", { apiKey: "", workspaceId: "", baseUrl: undefined });
  t.after(() => somebody.close());
  await somebody.getExecution("exe_1");
  assert.equal(server.asked[1]?.headers.authorization, "Bearer ifp_env");
  assert.equal(server.asked[1]?.headers["x-inferpipe-workspace"], "ws-env");
});
