/**
 * What all calls share: headers, hooks, repeating.
 *
 * A call may be several requests, all of them the same bytes, so that a server recognises the
 * repeated one by its key. The time of the call is for all of them together: when what is left
 * does not suffice for the next pause, the call ends with the error it has.
 */
import { InferPipeError, errorOf } from "./error.js";
import type { RetryPolicy } from "./retry.js";
import { MAX_DELAY_MS, delayOf, mayPass, pause, retryAfterMs } from "./retry.js";
import type { Trace } from "./trace.js";
import type { Head } from "./transport.js";
import { Transport, readText } from "./transport.js";
import type { InferPipeConfig } from "./types.js";
import { VERSION } from "./version.js";

export interface Call {
  method: "GET" | "POST";
  path: string;
  headers?: Record<string, string>;
  body?: string | undefined;
  policy: RetryPolicy;
  /** performance.now() at which the time of the call is over. */
  deadline: number;
  signal?: AbortSignal | undefined;
  trace?: Trace | undefined;
  /** Answered with server-sent events; the deadline is for the head alone. */
  stream?: boolean;
  /** How long the connection may be silent. */
  idleMs?: number;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

const AGENT = `inferpipe-sdk-typescript/${VERSION} node/${process.versions.node}`;
const MASKED = "Bearer ***";

export class Caller {
  readonly transport: Transport;
  readonly retries: number;
  readonly #config: Partial<InferPipeConfig>;

  constructor(config: Partial<InferPipeConfig>, baseUrl: string) {
    this.transport = new Transport(baseUrl, config.httpOptions ?? {});
    this.retries = config.retries ?? 2;
    this.#config = config;
  }

  /** For requests that may be repeated without being asked to. */
  policy(attempts = this.retries + 1): RetryPolicy {
    return { attempts, backoff: "exponential", maxDelayMs: MAX_DELAY_MS };
  }

  /** The whole answer, which is JSON. */
  ask(call: Call): Promise<Answer> {
    return this.#repeat(call, async (head) => {
      const text = await readText(head);
      return { status: head.status, headers: head.headers, body: parse(text, head) };
    });
  }

  /** The head of an answer that is a stream. */
  open(call: Call): Promise<Head> {
    return this.#repeat({ ...call, stream: true }, (head) => Promise.resolve(head));
  }

  async #repeat<T>(call: Call, finish: (head: Head) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      let wait = 0;
      try {
        const head = await this.#send(call, attempt);
        wait = retryAfterMs(head.headers["retry-after"]);
        if (head.status >= 200 && head.status < 300) return await finish(head);
        throw errorOf(head.status, head.headers["x-request-id"], await readText(head));
      } catch (error) {
        if (!(error instanceof InferPipeError)) throw error;
        const delay = delayOf(call.policy, attempt, wait);
        const late = performance.now() + delay >= call.deadline;
        if (attempt >= call.policy.attempts || !mayPass(error) || late) throw error;
        await pause(delay, call.signal);
      }
    }
  }

  async #send(call: Call, attempt: number): Promise<Head> {
    const headers = this.#headers(call);
    const url = this.transport.url(call.path);
    const about = { method: call.method, url, attempt, ...traceId(call) };
    this.#hook("onRequest", { ...about, headers: masked(headers) });
    const start = performance.now();
    const head = await this.transport.open({ ...call, headers });
    const requestId = head.headers["x-request-id"];
    this.#hook("onResponse", {
      ...about,
      status: head.status,
      headers: head.headers,
      durationMs: performance.now() - start,
      ...(requestId === undefined ? {} : { requestId }),
    });
    return head;
  }

  #headers(call: Call): Record<string, string> {
    const headers: Record<string, string> = { "user-agent": AGENT };
    for (const [name, value] of Object.entries(this.#config.headers ?? {}))
      headers[name.toLowerCase()] = value;
    headers["accept"] = call.stream ? "text/event-stream" : "application/json";
    // A packed stream would come late: the bytes of an event wait for those of the next.
    headers["accept-encoding"] = call.stream ? "identity" : "gzip";
    if (this.#config.apiKey) headers["authorization"] = `Bearer ${this.#config.apiKey}`;
    if (this.#config.workspaceId) headers["x-inferpipe-workspace"] = this.#config.workspaceId;
    if (call.body !== undefined) headers["content-type"] = "application/json";
    if (call.trace) {
      headers["traceparent"] = call.trace.traceparent;
      headers["x-inferpipe-trace"] = call.trace.traceId;
    }
    return { ...headers, ...call.headers };
  }

  /** A hook that fails is the user's affair, not the call's. */
  #hook<K extends "onRequest" | "onResponse">(
    name: K,
    value: Parameters<NonNullable<InferPipeConfig[K]>>[0],
  ): void {
    run(this.#config[name] as ((value: unknown) => unknown) | undefined, value);
  }

  failed(error: InferPipeError): void {
    run(this.#config.onError, error);
  }
}

function run<T>(hook: ((value: T) => unknown) | undefined, value: T): void {
  try {
    void Promise.resolve(hook?.(value)).catch(() => undefined);
  } catch {
    // see above
  }
}

function traceId(call: Call): { traceId?: string } {
  return call.trace ? { traceId: call.trace.traceId } : {};
}

function masked(headers: Record<string, string>): Record<string, string> {
  return headers["authorization"] === undefined ? headers : { ...headers, authorization: MASKED };
}

function parse(text: string, head: Head): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InferPipeError("SERVER_ERROR", "the answer is not JSON", {
      status: head.status,
      requestId: head.headers["x-request-id"],
      cause,
    });
  }
}
