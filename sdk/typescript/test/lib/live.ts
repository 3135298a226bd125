/**
 * Real servers for the tests in `live`: a database of the test's own, instances of
 * `examples/samples serve` behind a balancer, and a key. Needs what scripts/testdb exports.
 *
 * Nothing waits for a fixed time: `until` looks again up to a limit.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer, connect } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../../../..", import.meta.url));

function need(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run this with scripts/testdb scripts/test-sdk`);
  return value;
}

export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  limitMs = 60_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found as NonNullable<T>;
    assert.ok(performance.now() < end, `${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** One server process. */
export class Instance {
  url = "";
  readonly #ready: string;

  constructor(
    readonly child: ChildProcess,
    readonly log: string,
    ready: string,
  ) {
    this.#ready = ready;
  }

  async up(): Promise<this> {
    this.url = await until("a server is ready", () => {
      const { exitCode, signalCode } = this.child;
      assert.ok(exitCode === null && signalCode === null, `it ended: ${this.tail()}`);
      try {
        return readFileSync(this.#ready, "utf8").trim();
      } catch {
        return "";
      }
    });
    return this;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  tail(): string {
    return readFileSync(this.log, "utf8").split("\n").slice(-20).join("\n");
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }
}

/** A database, its key, and the servers that were started on it. */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "ifp-live-"));
  readonly #env: NodeJS.ProcessEnv;
  readonly #children: Instance[] = [];
  readonly #bin = need("BUILD");
  key = "";

  private constructor(database: string) {
    const url = `postgres:///${database}?host=${need("PGHOST")}&user=${need("PGUSER")}`;
    this.#env = { ...process.env, DATABASE_URL: url };
  }

  static open(): Site {
    const database = `sdk_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
    execFileSync(join(need("INFERPIPE_TEST_PGBIN"), "createdb"), ["-T", "ifp_template", database]);
    const site = new Site(database);
    site.key = site.makeKey("--name", "sdk");
    return site;
  }

  makeKey(...options: string[]): string {
    const key = this.command("key", "create", ...options).match(/ifp_\w+_[\w-]{43}/)?.[0];
    assert.ok(key, "no key was made");
    return key;
  }

  /** `inferpipe ...` on this database. */
  command(...args: string[]): string {
    return execFileSync(join(this.#bin, "inferpipe"), args, {
      env: this.#env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  sql(query: string): string {
    const args = [
      "-XAtq",
      "-v",
      "ON_ERROR_STOP=1",
      "-d",
      this.#env["DATABASE_URL"] ?? "",
      "-c",
      query,
    ];
    return execFileSync(join(need("INFERPIPE_TEST_PGBIN"), "psql"), args, {
      encoding: "utf8",
    }).trim();
  }

  async serve(...options: string[]): Promise<Instance> {
    const name = join(this.folder, `server-${this.#children.length}`);
    const args = [
      "serve",
      "--port",
      "0",
      "--ready-file",
      `${name}.ready`,
      "--tick",
      "100ms",
      ...options,
    ];
    const log = openSync(`${name}.log`, "w");
    const child = spawn(join(this.#bin, "examples/samples"), args, {
      cwd: project,
      env: this.#env,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const instance = new Instance(child, `${name}.log`, `${name}.ready`);
    this.#children.push(instance);
    return await instance.up();
  }

  async close(): Promise<void> {
    for (const instance of this.#children) await instance.end("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Spreads connections over instances; those to an instance that is gone go to the next. */
export class Balancer {
  url = "";
  /** False: all to the first one that is there. */
  inTurn = true;
  readonly #backends: Instance[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next = 0;

  private constructor(backends: Instance[]) {
    this.#backends = backends;
    this.#server = createServer((socket) => this.#serve(socket, this.inTurn ? this.#next++ : 0));
  }

  static async open(...backends: Instance[]): Promise<Balancer> {
    const balancer = new Balancer(backends);
    balancer.#server.listen(0, "127.0.0.1");
    await once(balancer.#server, "listening");
    balancer.url = `http://127.0.0.1:${(balancer.#server.address() as AddressInfo).port}`;
    return balancer;
  }

  #serve(client: Socket, turn: number, tries = this.#backends.length): void {
    const backend = this.#backends[turn % this.#backends.length];
    if (!backend || tries === 0) return void client.destroy();
    const server = connect(backend.port, "127.0.0.1");
    const close = (): void => void (client.destroy(), server.destroy());
    this.#keep(client);
    this.#keep(server);
    server.once("error", () => this.#serve(client, turn + 1, tries - 1));
    server.once("connect", () => {
      server.removeAllListeners("error").on("error", close).on("close", close);
      client.on("error", close).on("close", close);
      client.pipe(server).pipe(client);
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A Redis on a socket of its own; what connects to Redis's port comes out there. */
export async function startRedis(
  folder: string,
): Promise<{ path: string; stop: () => Promise<void> }> {
  const path = join(folder, "redis.sock");
  const args = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  const answers = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(path, () => socket.write("PING\r\n"));
      socket.on("data", (data) => (resolve(String(data).startsWith("+PONG")), socket.destroy()));
      socket.on("error", () => resolve(false));
    });
  await until("redis is ready", answers);
  const stop = async (): Promise<void> => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  return { path, stop };
}
