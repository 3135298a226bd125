/**
 * The types of the package: what goes in, what comes out, how it is configured.
 *
 * Times are RFC 3339 texts in UTC. Answers may carry members that are not named here: a newer
 * server may say more than this version knows of.
 */
import type { InferPipeError } from "./error.js";

/** What is run, and how. */
export interface ExecuteOptions<Input = Record<string, unknown>> {
  /** Slug or id of the workflow. */
  workflowId: string;
  /** Anything that JSON can say. */
  input: Input;
  /** For this call; the client's `timeoutMs` otherwise. */
  timeoutMs?: number | undefined;
  /** Context of your own, kept with the execution. */
  metadata?: Record<string, unknown> | undefined;
  /** With it, the same call may be repeated: it starts one execution. */
  idempotencyKey?: string | undefined;
  /**
   * How steps are retried on the server. The request itself is repeated as well, under a key of
   * its own when there is no `idempotencyKey`. Less than one attempt is one.
   */
  retry?:
    | {
        attempts: number;
        backoff?: "fixed" | "exponential" | undefined;
        maxDelayMs?: number | undefined;
      }
    | undefined;
  /** `parentId`: a W3C traceparent, or a trace id of 32 hexadecimal digits. */
  trace?: { parentId?: string | undefined; tags?: Record<string, string> | undefined } | undefined;
}

/** What a start may say beyond `ExecuteOptions`; `docs/http.md` explains each. */
export interface StartOptions<Input = Record<string, unknown>> extends ExecuteOptions<Input> {
  /** Told when the execution has ended. */
  webhookUrl?: string | undefined;
  /** 1 (first) to 5. */
  priority?: number | undefined;
  queue?: string | undefined;
  version?: string | undefined;
  /** RFC 3339; not together with `delayMs`. */
  runAt?: string | undefined;
  delayMs?: number | undefined;
  /** From the start to the end. */
  deadlineMs?: number | undefined;
  /** What the queue's limits by key count it under. */
  key?: string | undefined;
  /** A first message, sent together with the start. */
  message?: { name: string; payload?: unknown } | undefined;
}

/** How one call is made; nothing of it reaches the workflow. */
export interface RequestOptions {
  /** Ends the call with the code `ABORTED`. The execution, if there is one, goes on. */
  signal?: AbortSignal | undefined;
}

export interface WaitOptions extends RequestOptions {
  /** The client's `timeoutMs` otherwise. */
  timeoutMs?: number | undefined;
}

export interface ExecutionInfo {
  id: string;
  status: "queued" | "running" | "completed" | "failed";
  createdAt: string;
}

export interface ExecutionResult<Output = unknown> {
  id: string;
  status: "completed";
  data: Output;
  durationMs?: number;
  cost?: { tokens?: number; usd?: number };
  trace?: { id: string; url?: string };
}

export interface StreamChunk {
  type: "log" | "token" | "data" | "error" | "done";
  timestamp: string;
  payload?: unknown;
}

export interface ExecutionStatus<Output = unknown> {
  id: string;
  status: "queued" | "running" | "completed" | "failed" | "canceled";
  data?: Output;
  error?: { code?: string; message: string };
  createdAt?: string;
  startedAt?: string;
  updatedAt?: string;
}

export interface HealthStatus {
  status: "healthy" | "unhealthy";
  version?: string;
  time?: string;
}

/** A request that is about to be sent. Credentials are masked. */
export interface RequestInfo {
  method: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  /** 1 for the first; a repeated request has the next number. */
  attempt: number;
  /** The trace that it belongs to; also sent as `traceparent`. */
  traceId?: string;
}

/** The head of an answer. */
export interface ResponseInfo {
  method: string;
  url: string;
  status: number;
  headers: Readonly<Record<string, string>>;
  attempt: number;
  /** From sending to the head of the answer. */
  durationMs: number;
  requestId?: string;
  traceId?: string;
}

export interface HttpOptions {
  /** Connections are kept for later requests; default true. */
  keepAlive?: boolean | undefined;
  /** Connections at once; more requests wait for one. Default: no limit. */
  maxSockets?: number | undefined;
  /** How long a connection may be silent, in milliseconds; default 60,000. */
  timeout?: number | undefined;
}

export interface InferPipeConfig {
  /** Default: the environment's INFERPIPE_API_KEY. */
  apiKey: string;
  /** Default: the environment's INFERPIPE_WORKSPACE_ID. */
  workspaceId: string;
  /** Default: the environment's INFERPIPE_BASE_URL, then the cloud. */
  baseUrl?: string | undefined;
  /** How long a call may take in all, its retries included; default 30,000. */
  timeoutMs?: number | undefined;
  /** Headers of every request. */
  headers?: Record<string, string> | undefined;
  httpOptions?: HttpOptions | undefined;
  /** How often a request that may be repeated is sent again; default 2. */
  retries?: number | undefined;
  /** Default: the environment's INFERPIPE_WEBHOOK_SECRET. Several while a secret rotates. */
  webhookSecret?: string | readonly string[] | undefined;
  /** Before each request. What a hook throws is ignored. */
  onRequest?: ((request: RequestInfo) => void) | undefined;
  /** For the head of each answer. */
  onResponse?: ((response: ResponseInfo) => void) | undefined;
  /** For each error that a call ends with. */
  onError?: ((error: InferPipeError) => void) | undefined;
}
