/**
 * The client: each method is one call of caller.ts, or a few that share its time.
 *
 * What is sent again when it failed: all that only looks; starts with an idempotency key, the
 * caller's or, with `retry` and for streams, one made here. A start without one is sent once, as
 * nobody could tell afterwards whether there is one execution or two.
 *
 * A synchronous start waits on the server for WAIT_MS at most, which proxies let pass, and goes on
 * waiting for the execution that it then knows, also by another server.
 */
import { randomUUID } from "node:crypto";

import type { Answer, Call } from "./caller.js";
import { Caller } from "./caller.js";
import { InferPipeError, errorOfExecution, withExecution } from "./error.js";
import type { RetryPolicy } from "./retry.js";
import { MAX_DELAY_MS, pause } from "./retry.js";
import { follow, iterable } from "./stream.js";
import { traceOf } from "./trace.js";
import { timedOut } from "./transport.js";
import type {
  ExecutionInfo,
  ExecutionResult,
  ExecutionStatus,
  HealthStatus,
  InferPipeConfig,
  RequestOptions,
  StartOptions,
  StreamChunk,
  WaitOptions,
} from "./types.js";
import { verify } from "./webhooks.js";

const CLOUD = "https://api.inferpipe.com";
const TIMEOUT_MS = 30_000;
const WAIT_MS = 25_000;
/** Over two heartbeats of the server. */
const STREAM_IDLE_MS = 40_000;

type Mode = "sync" | "async" | "stream";

export class InferPipe {
  /** Helpers for the receiver of webhooks. */
  readonly webhooks: {
    /** Is `payload`, the body as it came, from the server and fresh? */
    verify: (payload: string | Buffer, signature: string) => { valid: boolean; timestamp: number };
  };
  readonly #caller: Caller;
  readonly #timeoutMs: number;
  readonly #hasKey: boolean;

  constructor(config: InferPipeConfig) {
    const env = process.env;
    const settings: InferPipeConfig = {
      ...config,
      apiKey: config.apiKey || env["INFERPIPE_API_KEY"] || "",
      workspaceId: config.workspaceId || env["INFERPIPE_WORKSPACE_ID"] || "",
    };
    this.#caller = new Caller(settings, config.baseUrl || env["INFERPIPE_BASE_URL"] || CLOUD);
    this.#timeoutMs = config.timeoutMs ?? TIMEOUT_MS;
    this.#hasKey = settings.apiKey !== "";
    this.webhooks = {
      verify: (payload, signature) => verify(payload, signature, secretsOf(config)),
    };
  }

  /** Runs a workflow and waits for its result. */
  execute<Input, Output = unknown>(
    options: StartOptions<Input>,
    request: RequestOptions = {},
  ): Promise<ExecutionResult<Output>> {
    return this.#guard(async () => {
      const call = this.#start(options, request, "sync");
      const { status, body } = await this.#caller.ask(call);
      if (status === 200) return body as ExecutionResult<Output>;
      return await this.#wait<Output>((body as ExecutionInfo).id, call);
    });
  }

  /** Starts a workflow; a webhook tells of its end, or waitForExecution. */
  executeAsync<Input>(
    options: StartOptions<Input>,
    request: RequestOptions = {},
  ): Promise<ExecutionInfo> {
    return this.#guard(async () => {
      const { body } = await this.#caller.ask(this.#start(options, request, "async"));
      return body as ExecutionInfo;
    });
  }

  /**
   * Runs a workflow and gives its stream while it runs. It begins with the first step of the
   * iteration. `timeoutMs` is for being without a server, not for the whole stream. An execution
   * that fails gives a chunk `error`, then `done`.
   */
  executeStream<Input>(
    options: StartOptions<Input>,
    request: RequestOptions = {},
  ): AsyncIterable<StreamChunk> {
    const stop = new AbortController();
    const outer = request.signal;
    const onAbort = (): void => stop.abort(outer?.reason);
    if (outer?.aborted) onAbort();
    outer?.addEventListener("abort", onAbort, { once: true });
    return iterable(this.#stream(options, stop.signal), stop, (error) => {
      outer?.removeEventListener("abort", onAbort);
      if (error instanceof InferPipeError) this.#caller.failed(error);
    });
  }

  /** The result of an execution that was started before; what `execute` would have given. */
  waitForExecution<Output = unknown>(
    executionId: string,
    options: WaitOptions = {},
  ): Promise<ExecutionResult<Output>> {
    return this.#guard(() =>
      this.#wait<Output>(executionId, this.#look(pathOf(executionId), options, options.timeoutMs)),
    );
  }

  getExecution<Output = unknown>(
    executionId: string,
    request: RequestOptions = {},
  ): Promise<ExecutionStatus<Output>> {
    return this.#guard(async () => {
      const { body } = await this.#caller.ask(this.#look(pathOf(executionId), request));
      return body as ExecutionStatus<Output>;
    });
  }

  /** Asks for the end of an execution; `CONFLICT` when it has ended before. */
  cancelExecution(executionId: string, request: RequestOptions = {}): Promise<void> {
    return this.#guard(async () => {
      const look = this.#look(`${pathOf(executionId)}/cancel`, request);
      await this.#caller.ask({ ...look, method: "POST", policy: this.#caller.policy(1) });
    });
  }

  health(request: RequestOptions = {}): Promise<HealthStatus> {
    return this.#guard(async () => {
      const { body } = await this.#caller.ask(this.#look("/health", request, undefined, false));
      return body as HealthStatus;
    });
  }

  /** Closes idle connections, for programs that must end soon; what is under way breaks. */
  close(): void {
    this.#caller.transport.close();
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof InferPipeError) this.#caller.failed(error);
      throw error;
    }
  }

  #look(path: string, request: RequestOptions, timeoutMs?: number, needsKey = true): Call {
    if (needsKey) this.#needKey();
    return {
      method: "GET",
      path,
      policy: this.#caller.policy(),
      deadline: performance.now() + (timeoutMs ?? this.#timeoutMs),
      signal: request.signal,
    };
  }

  #start<Input>(options: StartOptions<Input>, request: RequestOptions, mode: Mode): Call {
    this.#needKey();
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const made = options.retry !== undefined || mode === "stream";
    const key = options.idempotencyKey ?? (made ? randomUUID() : undefined);
    const inHeader = key !== undefined && /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(key);
    const fields = inHeader ? {} : { idempotencyKey: key };
    return {
      method: "POST",
      path: `/v1/workflows/${segment("workflowId", options.workflowId)}/executions`,
      headers: inHeader ? { "idempotency-key": key } : {},
      body: encode({ ...startBody(options), ...fields, ...this.#waiting(mode, timeoutMs) }),
      policy: this.#policyOf(options, key),
      deadline: performance.now() + timeoutMs,
      signal: request.signal,
      trace: traceOf(options.trace?.parentId),
    };
  }

  #policyOf<Input>({ retry }: StartOptions<Input>, key: string | undefined): RetryPolicy {
    if (key === undefined) return this.#caller.policy(1);
    if (!retry) return this.#caller.policy();
    return {
      attempts: Math.max(1, retry.attempts),
      backoff: retry.backoff ?? "exponential",
      maxDelayMs: retry.maxDelayMs ?? MAX_DELAY_MS,
    };
  }

  /** The server's wait ends before ours, so that its answer with the id arrives in time. */
  #waiting(mode: Mode, timeoutMs: number): { mode: Mode; timeoutMs?: number } {
    if (mode !== "sync") return { mode };
    const waitMs = Math.min(timeoutMs - Math.min(1000, timeoutMs / 5), this.#waitMs());
    return { mode, timeoutMs: Math.max(1, Math.floor(waitMs)) };
  }

  /** What a connection may be silent for must not end a wait. */
  #waitMs(): number {
    return Math.min(WAIT_MS, this.#caller.transport.idleMs / 2);
  }

  /** Until the execution has ended, or the time of the call; servers may come and go meanwhile. */
  async #wait<Output>(id: string, call: Call): Promise<ExecutionResult<Output>> {
    for (;;) {
      const start = performance.now();
      const left = Math.floor(Math.min(call.deadline - start, this.#waitMs()));
      if (left <= 0) throw timedOut(id);
      const answer = await this.#lookAt(`${pathOf(id)}?wait=${left}ms`, call).catch(
        (error: unknown) => {
          throw withExecution(error, id);
        },
      );
      const status = answer.body as ExecutionStatus<Output>;
      if (status.status === "completed") return resultOf(status);
      if (status.status === "failed" || status.status === "canceled")
        throw errorOfExecution(status, answer.headers["x-request-id"]);
      // A server that did not wait must not be asked without end.
      if (performance.now() - start < Math.min(left, 100)) await pause(100, call.signal);
    }
  }

  #lookAt(path: string, call: Call): Promise<Answer> {
    return this.#caller.ask({
      method: "GET",
      path,
      policy: { attempts: Infinity, backoff: "exponential", maxDelayMs: 2000 },
      deadline: call.deadline,
      signal: call.signal,
      trace: call.trace,
    });
  }

  async *#stream<Input>(options: StartOptions<Input>, signal: AbortSignal) {
    const call = this.#start(options, { signal }, "stream");
    const patienceMs = options.timeoutMs ?? this.#timeoutMs;
    const idleMs = Math.max(this.#caller.transport.idleMs, STREAM_IDLE_MS);
    yield* follow({
      start: () => this.#caller.open({ ...call, idleMs }),
      resume: (id, lastEventId) =>
        this.#caller.open({
          ...call,
          ...(id === undefined
            ? {}
            : { method: "GET" as const, path: `${pathOf(id)}/events`, body: undefined }),
          headers: {
            ...(id === undefined ? call.headers : {}),
            ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
          },
          policy: { attempts: Infinity, backoff: "exponential", maxDelayMs: 2000 },
          deadline: performance.now() + patienceMs,
          idleMs,
        }),
      patienceMs,
      signal,
    });
  }

  #needKey(): void {
    if (!this.#hasKey)
      throw new InferPipeError("UNAUTHORIZED", "no API key: give apiKey or set INFERPIPE_API_KEY");
  }
}

function secretsOf(config: InferPipeConfig): readonly string[] {
  const given = config.webhookSecret ?? process.env["INFERPIPE_WEBHOOK_SECRET"] ?? "";
  return (typeof given === "string" ? [given] : given).filter((secret) => secret !== "");
}

function segment(name: string, value: unknown): string {
  if (typeof value !== "string" || value === "")
    throw new InferPipeError("INVALID_INPUT", `${name} is not a text, or is empty`);
  return encodeURIComponent(value);
}

function pathOf(executionId: string): string {
  return `/v1/executions/${segment("executionId", executionId)}`;
}

/** What the server is told; members that are undefined do not appear. */
function startBody<Input>(options: StartOptions<Input>): Record<string, unknown> {
  const { workflowId: _workflow, idempotencyKey: _key, retry, trace, ...rest } = options;
  const parentId = traceOf(trace?.parentId) ? undefined : trace?.parentId;
  return {
    ...rest,
    input: options.input ?? null,
    retry: retry && { ...retry, attempts: Math.max(1, retry.attempts) },
    trace: trace && { parentId, tags: trace.tags },
  };
}

function encode(body: Record<string, unknown>): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    const text = (cause as Error).message;
    throw new InferPipeError("INVALID_INPUT", `the input is not JSON: ${text}`, { cause });
  }
}

function resultOf<Output>(status: ExecutionStatus<Output>): ExecutionResult<Output> {
  const { updatedAt: _updated, ...rest } = status;
  return { ...rest, status: "completed", data: (status.data ?? null) as Output };
}
