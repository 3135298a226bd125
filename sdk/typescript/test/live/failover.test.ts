/**
 * Two servers on one database, one killed with SIGKILL while all kinds of calls are under way.
 *
 * What must hold: a call that may be repeated does not fail; what was acknowledged completes; each
 * start with a key is one execution, without one at most one; a stream has each token once.
 */
import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { InferPipe, InferPipeError } from "@inferpipe/sdk";

import { Balancer, Site, until } from "../lib/live.js";
import type { Instance } from "../lib/live.js";

let site: Site;
let victim: Instance;
let survivor: Instance;
let balancer: Balancer;
let inferpipe: InferPipe;
let resumed = 0;

before(async () => {
  site = Site.open();
  // A server that has just come up does not tell a dead one before its lease has run out.
  victim = await site.serve("--lease", "3s");
  survivor = await site.serve("--lease", "3s");
  balancer = await Balancer.open(victim, survivor);
  inferpipe = new InferPipe({
    apiKey: site.key,
    workspaceId: "default",
    baseUrl: balancer.url,
    timeoutMs: 90_000,
    retries: 8,
    onRequest: ({ headers }) => void (resumed += headers["last-event-id"] === undefined ? 0 : 1),
  });
});

after(async () => {
  inferpipe?.close();
  balancer?.close();
  await site?.close();
});

const answer = (prompt: string): string =>
  `You said: ${prompt}. This answer comes from a C program, word by word.`;

/** Calls in lanes beside each other, until `enough`; counts what has come back. */
class Load {
  returned = 0;
  tokens = 0;
  readonly started: string[] = [];
  readonly ids: string[] = [];
  readonly unknown: string[] = [];
  #enough = false;

  stop(): void {
    this.#enough = true;
  }

  async lane(name: string, call: (n: string) => Promise<void>): Promise<void> {
    for (let i = 0; !this.#enough; i++) {
      const n = `${name}-${i}`;
      this.started.push(n);
      await call(n);
      this.returned++;
    }
  }

  execute = async (n: string): Promise<void> => {
    const input = { prompt: n, paceMs: 20 };
    const retry = { attempts: 8, maxDelayMs: 1000 };
    const options = { workflowId: "chat-assist", input, retry, metadata: { n } };
    const { id, data } = await inferpipe.execute<typeof input, { answer: string }>(options);
    assert.equal(data.answer, answer(n));
    this.ids.push(id);
  };

  executeAsync = async (n: string): Promise<void> => {
    const options = { workflowId: "test-echo", input: n, idempotencyKey: n, metadata: { n } };
    this.ids.push((await inferpipe.executeAsync(options)).id);
  };

  stream = async (n: string): Promise<void> => {
    const input = { prompt: n, paceMs: 20 };
    let text = "";
    const ends: unknown[] = [];
    for await (const chunk of inferpipe.executeStream({
      workflowId: "chat-assist",
      input,
      metadata: { n },
    })) {
      if (chunk.type === "token") text += String(chunk.payload);
      if (chunk.type === "token") this.tokens++;
      if (chunk.type === "error" || chunk.type === "done") ends.push(chunk);
    }
    assert.equal(text, answer(n), "each token once and in order");
    const [end] = ends as [{ type: string; payload: { id: string; status: string } }];
    assert.deepEqual([ends.length, end.type, end.payload.status], [1, "done", "completed"]);
    this.ids.push(end.payload.id);
  };

  /** Without a key the outcome may be unknown, and nothing else may go wrong. */
  once = async (n: string): Promise<void> => {
    try {
      const result = await inferpipe.execute({
        workflowId: "test-echo",
        input: n,
        metadata: { n },
      });
      assert.equal(result.data, n);
      this.ids.push(result.id);
    } catch (error) {
      assert.ok(error instanceof InferPipeError);
      assert.equal(error.code, "UNAVAILABLE");
      this.unknown.push(n);
    }
  };
}

test("no execution is lost or doubled when a server is killed", { timeout: 120_000 }, async (t) => {
  const load = new Load();
  const lanes = [
    ...["e1", "e2", "e3", "e4"].map((name) => load.lane(name, load.execute)),
    ...["s1", "s2", "s3", "s4"].map((name) => load.lane(name, load.stream)),
    ...["a1", "a2"].map((name) => load.lane(name, load.executeAsync)),
    ...["o1", "o2"].map((name) => load.lane(name, load.once)),
  ];
  const all = Promise.all(lanes);
  all.catch(() => load.stop());
  await Promise.race([all, until("calls come back", () => load.returned > 20 && load.tokens > 20)]);
  await victim.end("SIGKILL");
  const { returned } = load;
  await Promise.race([
    all,
    until("calls come back after the kill", () => load.returned > returned + 30, 60_000),
  ]);
  load.stop();
  await all;
  t.diagnostic(
    `${load.started.length} starts, ${resumed} streams resumed, ${load.unknown.length} unknown`,
  );

  const counts = new Map(
    site
      .sql("select metadata ->> 'n', count(*) from inferpipe.executions group by 1")
      .split("\n")
      .map((line) => line.split("|") as [string, string]),
  );
  for (const n of load.started) {
    const expected = load.unknown.includes(n) ? /^[01]$/ : /^1$/;
    assert.match(counts.get(n) ?? "0", expected, `executions of ${n}`);
  }
  assert.equal(new Set(load.ids).size, load.started.length - load.unknown.length);
  await until("all that was acknowledged has completed", () => {
    const live = "select count(*) from inferpipe.executions where status <> 'completed'";
    return site.sql(live) === "0";
  });
});

test("a stream, and a call that may be repeated, go on at another server", async (t) => {
  const doomed = await site.serve("--lease", "3s");
  const ordered = await Balancer.open(doomed, survivor);
  ordered.inTurn = false;
  const resumptions: string[] = [];
  const client = new InferPipe({
    apiKey: site.key,
    workspaceId: "default",
    baseUrl: ordered.url,
    timeoutMs: 60_000,
    onRequest: ({ method, url, headers }) => {
      const id = headers["last-event-id"];
      if (id !== undefined) resumptions.push(`${method} ${new URL(url).pathname} ${id}`);
    },
  });
  t.after(() => (client.close(), ordered.close()));
  const start = (n: string) => {
    const input = { prompt: n, paceMs: 300 };
    return { workflowId: "chat-assist", input, metadata: { n } };
  };
  const retry = { attempts: 8, maxDelayMs: 500 };
  const kept = client.execute<unknown, { answer: string }>({ ...start("kept"), retry });
  const lost = client.execute(start("lost")).catch((error: unknown) => error);
  let text = "";
  for await (const chunk of client.executeStream(start("followed"))) {
    if (chunk.type !== "token") continue;
    text += String(chunk.payload);
    if (text === "You said: followed. ") await doomed.end("SIGKILL");
  }
  assert.equal(text, answer("followed"));
  const [, id] =
    /^GET \/v1\/executions\/exe_\w{13}\/events (\d+)$/.exec(resumptions[0] ?? "") ?? [];
  assert.ok(Number(id) >= 4, `it went on behind an event: ${resumptions.join()}`);
  assert.equal((await kept).data.answer, answer("kept"));
  const error = await lost;
  assert.ok(error instanceof InferPipeError && error.code === "UNAVAILABLE");
  for (const n of ["kept", "lost", "followed"]) {
    const count = `select count(*) from inferpipe.executions where metadata ->> 'n' = '${n}'`;
    assert.match(site.sql(count), n === "lost" ? /^[01]$/ : /^1$/, n);
  }
});

test("a key starts once, whichever server is asked", async () => {
  const third = await site.serve();
  const direct = new InferPipe({ apiKey: site.key, workspaceId: "default", baseUrl: third.url });
  const options = { workflowId: "test-echo", input: { n: 1 }, idempotencyKey: "once" };
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) => (i % 2 ? inferpipe : direct).execute(options)),
  );
  assert.equal(new Set(results.map(({ id }) => id)).size, 1);
  await assert.rejects(direct.execute({ ...options, input: { n: 2 } }), {
    code: "IDEMPOTENCY_MISMATCH",
    status: 422,
  });
  direct.close();
});
