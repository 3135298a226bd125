/**
 * One HTTP exchange over node:http or node:https, with a pool of connections of its own.
 *
 * What breaks is an InferPipeError: `TIMEOUT` when the time of the call has passed, `ABORTED` by
 * the signal, `UNAVAILABLE` for everything that the network does. Whichever comes first wins, and
 * the connection is then closed, so nothing is left under way.
 */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

import { InferPipeError } from "./error.js";
import { aborted } from "./retry.js";
import type { HttpOptions } from "./types.js";

const IDLE_MS = 60_000;
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface Exchange {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | undefined;
  /** performance.now() at which the time is over. */
  deadline: number;
  /** The deadline is only for the head of the answer. */
  stream?: boolean;
  /** How long the connection may be silent; default the transport's. */
  idleMs?: number;
  signal?: AbortSignal | undefined;
}

/** The head of an answer; its body comes by `chunks`, which must be read or left by `break`. */
export interface Head {
  status: number;
  headers: Record<string, string>;
  chunks: AsyncIterable<Buffer>;
}

export class Transport {
  readonly idleMs: number;
  readonly #base: string;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #request: typeof httpRequest;

  constructor(baseUrl: string, options: HttpOptions = {}) {
    const url = parseUrl(baseUrl);
    this.#base = url.href.replace(/\/$/, "");
    this.idleMs = options.timeout ?? IDLE_MS;
    const settings = {
      keepAlive: options.keepAlive ?? true,
      maxSockets: options.maxSockets ?? Infinity,
      timeout: this.idleMs, // also closes connections that nobody uses
    };
    const secure = url.protocol === "https:";
    this.#agent = secure ? new HttpsAgent(settings) : new HttpAgent(settings);
    this.#request = secure ? httpsRequest : httpRequest;
  }

  url(path: string): string {
    return this.#base + path;
  }

  /** Sends and waits for the head of the answer. */
  open(exchange: Exchange): Promise<Head> {
    return new Promise((resolve, reject) => {
      if (exchange.signal?.aborted) return reject(aborted(exchange.signal));
      const request = this.#begin(exchange);
      const watch = new Watch(request, exchange, exchange.idleMs ?? this.idleMs);
      request.on("error", (error) => reject(watch.explain(error)));
      request.on("close", () => watch.end());
      request.on("response", (response) => {
        response.on("error", () => undefined); // it is told to who reads
        if (exchange.stream) watch.arrived();
        const headers = flat(response);
        resolve({ status: response.statusCode ?? 0, headers, chunks: read(response, watch) });
      });
      request.end(exchange.body);
    });
  }

  #begin(exchange: Exchange): ClientRequest {
    try {
      return this.#request(this.url(exchange.path), {
        method: exchange.method,
        headers: exchange.headers,
        agent: this.#agent,
      });
    } catch (cause) {
      const text = (cause as Error).message;
      throw new InferPipeError("INVALID_INPUT", `the request cannot be sent: ${text}`, { cause });
    }
  }

  /** Connections that are in use break. */
  close(): void {
    this.#agent.destroy();
  }
}

export async function readText(head: Head): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of head.chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

export function timedOut(executionId?: string): InferPipeError {
  return new InferPipeError("TIMEOUT", "the time allowed for the call has passed", { executionId });
}

/** Holds a request to its limits, and remembers which of them it broke. */
class Watch {
  readonly #request: ClientRequest;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = (): void => this.#stop(aborted(this.#signal as AbortSignal));
  #reason: InferPipeError | undefined;

  constructor(request: ClientRequest, exchange: Exchange, idleMs: number) {
    const left = Math.min(Math.max(0, exchange.deadline - performance.now()), TIMER_MAX_MS);
    this.#request = request;
    this.#signal = exchange.signal;
    this.#timer = setTimeout(() => this.#stop(timedOut()), left);
    request.setTimeout(idleMs, () => this.#stop(silent(idleMs)));
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  #stop(reason: InferPipeError): void {
    this.#reason ??= reason;
    this.#request.destroy(reason);
  }

  arrived(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  explain(error: unknown): InferPipeError {
    if (this.#reason) return this.#reason;
    const cause = error as NodeJS.ErrnoException;
    const text = cause.message || cause.code || "the connection broke";
    return new InferPipeError("UNAVAILABLE", `no answer from the server: ${text}`, { cause });
  }
}

async function* read(response: IncomingMessage, watch: Watch): AsyncGenerator<Buffer, void, void> {
  const packed = response.headers["content-encoding"] === "gzip";
  // The callback is there to have errors come out of the iteration alone.
  const body = packed ? pipeline(response, createGunzip(), () => undefined) : response;
  try {
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    throw watch.explain(error);
  }
}

function silent(ms: number): InferPipeError {
  return new InferPipeError("UNAVAILABLE", `the server was silent for ${ms} ms`);
}

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new InferPipeError("INVALID_INPUT", `baseUrl is not a URL: ${text}`, { cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new InferPipeError("INVALID_INPUT", `baseUrl is neither http nor https: ${text}`);
  if (url.search || url.hash || url.username || url.password)
    throw new InferPipeError("INVALID_INPUT", "baseUrl has more than scheme, host, port and path");
  return url;
}

function flat(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return headers;
}
