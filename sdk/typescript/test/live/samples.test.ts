/**
 * The samples of the documentation, as they stand there, against two real servers behind a
 * balancer, one of which is killed in the middle.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test, { after, before } from "node:test";
import tls from "node:tls";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { InferPipe } from "@inferpipe/sdk";

import { Balancer, Site, startRedis, until } from "../lib/live.js";
import type { Instance } from "../lib/live.js";

const require = createRequire(import.meta.url);
const samples = new URL("../samples/", import.meta.url);
const root = fileURLToPath(new URL("../..", import.meta.url));

let site: Site;
let first: Instance;
let balancer: Balancer;

before(async () => {
  process.env["INFERPIPE_WEBHOOK_SECRET"] = "whsec_dGVzdC1zZWNyZXQtb2YtMzItYnl0ZXMtaGVyZSE=";
  site = Site.open();
  const options = ["--egress-allow", "127.0.0.1/32"];
  first = await site.serve(...options);
  balancer = await Balancer.open(first, await site.serve(...options));
  Object.assign(process.env, {
    INFERPIPE_API_KEY: site.key,
    INFERPIPE_WORKSPACE_ID: "default",
    INFERPIPE_BASE_URL: balancer.url,
  });
});

after(async () => {
  balancer?.close();
  await site?.close();
});

/** Imported only now, as samples read their environment when they are loaded. */
async function sample<T>(name: string): Promise<T> {
  return (await import(new URL(name, samples).href)) as T;
}

/** What a sample that is a program prints. */
async function output(name: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    fileURLToPath(new URL(name, samples)),
  ]);
  return stdout;
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function post(url: string, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}

test("the client, with hooks", async () => {
  const { heard, inferpipe } = await sample<typeof import("../samples/client.js")>("client.js");
  const result = await inferpipe.execute({ workflowId: "test-echo", input: { a: [1, "ü"] } });
  assert.deepEqual(result.data, { a: [1, "ü"] });
  assert.equal(heard.length, 2);
  const [, response] = heard as [
    unknown,
    { status: number; headers: Record<string, string>; requestId: string },
  ];
  assert.equal(response.status, 200);
  assert.match(response.headers["x-inferpipe-trace"] ?? "", /^[0-9a-f]{32}$/);
  assert.equal(result.trace?.id, response.headers["x-inferpipe-trace"]);
  assert.ok(response.requestId);
});

test("synchronous execution", async () => {
  assert.match(
    await output("sync.js"),
    /^1\. What is AI automation\?\n2\. Why AI automation matters\n/,
  );
});

test("asynchronous execution", async () => {
  const [, id = ""] = /^Execution ID: (exe_\w{13})\n$/.exec(await output("async.js")) ?? [];
  const { inferpipe } = await sample<typeof import("../samples/inferpipe.js")>("inferpipe.js");
  const { data } = await inferpipe.waitForExecution<{ source: { name: string } }>(id);
  assert.equal(data.source.name, "doc.pdf");
  assert.equal(
    site.sql(`select metadata ->> 'customerId' from inferpipe.executions where id = '${id}'`),
    "cus_123",
  );
});

test("streaming", async () => {
  const said =
    "You said: Explain vector databases. This answer comes from a C program, word by word.";
  assert.equal(await output("streaming.js"), said);
});

test("an Express route", async (t) => {
  const { app } = await sample<typeof import("../samples/express.js")>("express.js");
  const server = app.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const good = await post(`${url}/analyze`, { text: "Great product!" });
  assert.equal(good.status, 200);
  assert.deepEqual(await good.json(), { sentiment: "positive", confidence: 0.95 });
  const bad = await post(`${url}/analyze`, { text: "" });
  const error = (await bad.json()) as { code: string; message: string; requestId: string };
  assert.equal(`${bad.status} ${error.code}`, "400 INVALID_INPUT");
  assert.match(error.message, /\/text/);
  assert.ok(error.requestId);

  const health = await fetch(`${url}/health/inferpipe`);
  const body = (await health.json()) as {
    status: string;
    inferpipe: { status: string; version: string };
  };
  assert.equal(`${body.status} ${body.inferpipe.status}`, "healthy healthy");
  assert.ok(body.inferpipe.version);
});

test("a Next.js API route", async (t) => {
  const { servePagesHandler } = require("../lib/next.cjs") as typeof import("../lib/next.cjs");
  const server = servePagesHandler(require("../samples/next-pages-handler.cjs"));
  t.after(() => server.close());
  const url = await listening(server);
  const good = await post(url, { text: "I hate bugs" });
  assert.deepEqual(
    [good.status, await good.json()],
    [200, { sentiment: "negative", confidence: 0.95 }],
  );
  const bad = await post(url, { text: "" });
  assert.deepEqual([bad.status, await bad.json()], [500, { error: "Analysis failed" }]);
  assert.equal((await fetch(url)).status, 405);
});

test("a route handler of Next.js that receives webhooks", async () => {
  const { handleAppRoute } = require("../lib/next.cjs") as typeof import("../lib/next.cjs");
  const route =
    require("../samples/next-webhook-route.cjs") as typeof import("../samples/next-webhook-route.cjs");
  const { sign } = await import("../../dist/esm/webhooks.js");
  const body = JSON.stringify({ id: "evt_1", type: "execution.completed" });
  const answer = async (signature: string): Promise<string> => {
    const headers = { "x-inferpipe-signature": signature };
    const request = new Request("http://localhost/api/webhook", { method: "POST", headers, body });
    const response = await handleAppRoute(route, request);
    return `${response.status} ${await response.text()}`;
  };
  const secret = process.env["INFERPIPE_WEBHOOK_SECRET"] ?? "";
  assert.equal(await answer(sign(body, secret)), "200 ok");
  assert.equal(await answer(sign(`${body} `, secret)), "400 Invalid signature");
  assert.equal(await answer(""), "400 Invalid signature");
});

test("a webhook of an execution arrives there, and is verified", async (t) => {
  const { handleAppRoute } = require("../lib/next.cjs") as typeof import("../lib/next.cjs");
  const route =
    require("../samples/next-webhook-route.cjs") as typeof import("../samples/next-webhook-route.cjs");
  const answers: number[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString();
      const headers = { "x-inferpipe-signature": String(request.headers["x-inferpipe-signature"]) };
      const asked = new Request("http://localhost/api/webhook", { method: "POST", headers, body });
      const { status } = await handleAppRoute(route, asked);
      answers.push(status);
      bodies.push(body);
      response.writeHead(status).end();
    })();
  });
  t.after(() => server.close());
  const webhookUrl = await listening(server);
  const { inferpipe } = await sample<typeof import("../samples/inferpipe.js")>("inferpipe.js");
  const { id } = await inferpipe.executeAsync({
    workflowId: "test-echo",
    input: { n: 1 },
    metadata: { customerId: "cus_123" },
    webhookUrl,
  });
  await until("the webhook arrives", () => answers.length > 0);
  assert.equal(answers[0], 200);
  const event = JSON.parse(bodies[0] ?? "") as Record<string, unknown>;
  assert.deepEqual(
    [event["type"], event["executionId"], event["status"], event["data"], event["metadata"]],
    ["execution.completed", id, "completed", { n: 1 }, { customerId: "cus_123" }],
  );
});

test("a Fastify plugin", async (t) => {
  const { default: fastify } = await import("fastify");
  const { default: plugin } = await sample<{ default: never }>("fastify-plugin.js");
  const { addRoutes } =
    await sample<typeof import("../samples/fastify-routes.js")>("fastify-routes.js");
  const app = fastify();
  t.after(() => app.close());
  await app.register(plugin);
  addRoutes(app);
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const answer = await post(`${url}/translate`, {
    text: "Hello, my friend!",
    targetLanguage: "es",
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), {
    translatedText: "Hola, mi amigo!",
    language: "es",
    unknownWords: 0,
  });
});

test("types and checks with zod", async () => {
  const { parsed, result } = await sample<typeof import("../samples/zod.js")>("zod.js");
  assert.deepEqual(parsed, result.data);
  assert.deepEqual(
    parsed.events.map(({ title, time }) => `${title} at ${time}`),
    ["Meeting at 10am"],
  );
});

test("one of the two servers is killed", async () => {
  await first.end("SIGKILL");
  const { inferpipe } = await sample<typeof import("../samples/inferpipe.js")>("inferpipe.js");
  for (let i = 0; i < 4; i++) assert.equal((await inferpipe.health()).status, "healthy");
});

test("batch processing", async () => {
  const { processDocumentsBatch } = await sample<typeof import("../samples/batch.js")>("batch.js");
  const documents = Array.from({ length: 12 }, (_, i) => ({
    content: i === 7 ? "" : `One two. Number ${i}.`,
    metadata: { i },
  }));
  const results = await processDocumentsBatch(documents);
  assert.deepEqual(
    results.map(({ status }) => status),
    documents.map(({ content }) => (content ? "fulfilled" : "rejected")),
  );
  const [result] = results as [
    PromiseFulfilledResult<{ data: { words: number; sentences: number } }>,
  ];
  assert.deepEqual([result.value.data.words, result.value.data.sentences], [4, 2]);
});

test("error handling and retries", async () => {
  const { reliableWorkflowExecution } =
    await sample<typeof import("../samples/retries.js")>("retries.js");
  const result = await reliableWorkflowExecution("test-echo", { n: 1 });
  assert.deepEqual(result?.data, { n: 1 });
  await assert.rejects(
    reliableWorkflowExecution("no-such-workflow", {}),
    /^Error: Workflow failed after 3 attempts: .*no-such-workflow/,
  );
});

test("background jobs with BullMQ", async (t) => {
  const redis = await startRedis(site.folder);
  t.after(() => redis.stop());
  const createConnection = net.createConnection;
  t.after(() => void (net.createConnection = createConnection));
  net.createConnection = ((options: { port?: number }, ...rest: unknown[]) =>
    createConnection(
      ...([
        options.port === 6379 ? { path: redis.path } : options,
        ...rest,
      ] as unknown as Parameters<typeof createConnection>),
    )) as typeof createConnection;
  t.mock.method(console, "warn", () => undefined); // about Redis without a connection given

  const { aiQueue, saved, scheduleAIProcessing, scheduleLongRunningAI, worker } =
    await sample<typeof import("../samples/bullmq.js")>("bullmq.js");
  const results: unknown[] = [];
  worker.on("completed", (_job, result: unknown) => void results.push(result));
  await scheduleAIProcessing({ content: "two  words. and more" });
  await until("the job is done", () => results.length > 0);
  assert.deepEqual(results, [{ content: "Two words. And more.", changed: true }]);

  await scheduleLongRunningAI({ document: "A long report." });
  const { inferpipe } = await sample<typeof import("../samples/inferpipe.js")>("inferpipe.js");
  assert.equal((await inferpipe.waitForExecution<{ words: number }>(saved[0] ?? "")).data.words, 3);
  await worker.close();
  await aiQueue.close();
});

test("a monitoring wrapper", async (t) => {
  const { InferPipeMonitor } = await sample<typeof import("../samples/monitor.js")>("monitor.js");
  const { inferpipe } = await sample<typeof import("../samples/inferpipe.js")>("inferpipe.js");
  const lines: Array<{ status: string; workflowId: string; error?: string }> = [];
  t.mock.method(console, "log", (line: (typeof lines)[number]) => void lines.push(line));
  const monitor = new InferPipeMonitor(inferpipe);
  assert.equal((await monitor.executeWithMetrics("test-echo", 7)).data, 7);
  await assert.rejects(monitor.executeWithMetrics("translation", {}), {
    code: "INVALID_INPUT",
    status: 400,
  });
  assert.deepEqual(
    lines.map(({ status, workflowId }) => `${status} ${workflowId}`),
    ["success test-echo", "error translation"],
  );
});

test("workflow configuration, with retries that are 0", async () => {
  const { executeWorkflow } =
    await sample<typeof import("../samples/workflow-config.js")>("workflow-config.js");
  const image = (await executeWorkflow("image-generation", { prompt: "a sunset" })) as {
    data: { svg: string };
  };
  assert.match(image.data.svg, /^<svg .*<\/svg>$/);
  const document = await executeWorkflow("document-processing", { document: "A great day." });
  assert.equal((document as { data: { summary: string } }).data.summary, "A great day.");
});

test("connection pooling", async () => {
  const { inferpipe } = await sample<typeof import("../samples/pooling.js")>("pooling.js");
  const all = Array.from({ length: 60 }, (_, n) =>
    inferpipe.execute({ workflowId: "test-echo", input: n }),
  );
  assert.deepEqual(
    (await Promise.all(all)).map(({ data }) => data),
    Array.from({ length: 60 }, (_, n) => n),
  );
});

test("caching", async () => {
  const { cachedExecute } = await sample<typeof import("../samples/caching.js")>("caching.js");
  const once = (await cachedExecute("test-echo", { n: 1 })) as { id: string };
  const twice = (await cachedExecute("test-echo", { n: 1 })) as { id: string };
  const other = (await cachedExecute("test-echo", { n: 2 })) as { id: string };
  assert.equal(twice.id, once.id);
  assert.notEqual(other.id, once.id);
});

test("a unit test with Jest's mock", async () => {
  assert.match(await jest("jest-mock.jest.cjs"), /Tests: +1 passed, 1 total/);
});

// ---- samples that name servers of the cloud: their names lead to a proxy with TLS of ours ----

test("environment-based configuration, and a test in Jest, over TLS", async (t) => {
  const { cert, key } = makeCertificate(site.folder);
  const proxy = tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (client) => {
    const server = net.connect(Number(new URL(balancer.url).port), "127.0.0.1");
    client.pipe(server).pipe(client);
    for (const socket of [client, server])
      socket.on("error", () => (client.destroy(), server.destroy()));
  });
  t.after(() => proxy.close());
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  const connect = tls.connect;
  t.after(() => void (tls.connect = connect));
  tls.connect = ((options: tls.ConnectionOptions, ...rest: unknown[]) => {
    const ours = { host: "127.0.0.1", port, ca: readFileSync(cert) };
    const cloud = /\.inferpipe\.com$/.test(options.host ?? "");
    return connect(
      ...([cloud ? { ...options, ...ours } : options, ...rest] as unknown as Parameters<
        typeof connect
      >),
    );
  }) as typeof connect;

  const { inferpipeFromEnv } = await sample<{ inferpipeFromEnv: InferPipe }>("env-config.js");
  const result = await inferpipeFromEnv.execute({ workflowId: "test-echo", input: "over TLS" });
  assert.equal(result.data, "over TLS");

  const report = await jest("jest-live.jest.cjs", {
    INFERPIPE_TEST_API_KEY: site.key,
    INFERPIPE_TEST_WORKSPACE_ID: "default",
    SDK_TEST_TLS_PORT: String(port),
    SDK_TEST_TLS_CERT: cert,
  });
  assert.match(report, /Tests: +1 passed, 1 total/);
});

/** What Jest reports; it runs beside us, as the balancer is in this process. */
async function jest(name: string, env: Record<string, string> = {}): Promise<string> {
  const config = {
    rootDir: join(root, "build/samples"),
    testEnvironment: "node",
    testMatch: [`**/${name}`],
    moduleFileExtensions: ["cjs", "js"],
    transform: {},
    setupFiles: [join(root, "build/lib/cloud.cjs")],
  };
  const program = join(root, "node_modules/jest/bin/jest.js");
  const args = [program, "--config", JSON.stringify(config), "--ci", "-i", "--no-cache"];
  const options = { env: { ...process.env, ...env }, cwd: root };
  try {
    return (await promisify(execFile)(process.execPath, args, options)).stderr;
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}

function makeCertificate(folder: string): { cert: string; key: string } {
  const cert = join(folder, "cert.pem");
  const key = join(folder, "key.pem");
  const names = ["dev-api", "staging-api", "api", "test-api"].map(
    (name) => `DNS:${name}.inferpipe.com`,
  );
  execFileSync(
    "openssl",
    [
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ],
      ...[
        "-subj",
        "/CN=test",
        "-addext",
        `subjectAltName=${names.join(",")}`,
        "-keyout",
        key,
        "-out",
        cert,
      ],
    ],
    { stdio: "ignore" },
  );
  return { cert, key };
}
