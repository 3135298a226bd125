/**
 * The stream of an execution as an iteration that survives the connection it came by.
 *
 * Events are numbered. When the connection breaks before `done`, the stream is asked for again
 * behind the last number seen, from whichever server answers, and what comes twice is dropped. It
 * ends with `done`, when the caller leaves, or when no server has been heard of for the time of the
 * call.
 */
import { InferPipeError, withExecution } from "./error.js";
import { delayOf, mayPass, pause } from "./retry.js";
import type { RetryPolicy } from "./retry.js";
import { readEvents } from "./sse.js";
import type { ServerEvent } from "./sse.js";
import type { Head } from "./transport.js";
import type { StreamChunk } from "./types.js";

export interface Source {
  start(): Promise<Head>;
  /** From behind that event; undefined: from the beginning. */
  resume(executionId: string | undefined, lastEventId: string | undefined): Promise<Head>;
  /** How long to go on without hearing of a server. */
  patienceMs: number;
  signal: AbortSignal;
}

const types: ReadonlySet<string> = new Set(["log", "token", "data", "error", "done"]);
const pauses: RetryPolicy = { attempts: Infinity, backoff: "exponential", maxDelayMs: 2000 };

export async function* follow(source: Source): AsyncGenerator<StreamChunk, void, void> {
  let head = streaming(await source.start());
  const executionId = executionIdOf(head);
  let lastEventId: string | undefined;
  let heard = performance.now();
  let failures = 0;
  const onActivity = (): void => {
    heard = performance.now();
  };

  for (;;) {
    try {
      for await (const event of readEvents(head.chunks, onActivity)) {
        if (!isNew(event.id, lastEventId)) continue;
        lastEventId = event.id ?? lastEventId;
        failures = 0;
        const chunk = chunkOf(event);
        if (chunk) yield chunk;
        if (chunk?.type === "done") return;
      }
    } catch (error) {
      if (!(error instanceof InferPipeError) || !mayPass(error)) throw error;
    }
    if (performance.now() - heard > source.patienceMs)
      throw new InferPipeError("UNAVAILABLE", "the stream broke and no server goes on with it", {
        executionId,
      });
    await pause(delayOf(pauses, ++failures), source.signal);
    head = await resume(source, executionId, lastEventId);
  }
}

async function resume(
  source: Source,
  executionId: string | undefined,
  lastEventId: string | undefined,
): Promise<Head> {
  try {
    return streaming(await source.resume(executionId, lastEventId));
  } catch (error) {
    throw executionId === undefined ? error : withExecution(error, executionId);
  }
}

/** A proxy's friendly page is no stream; asking again would not make it one. */
function streaming(head: Head): Head {
  const type = head.headers["content-type"] ?? "nothing";
  if (type.startsWith("text/event-stream")) return head;
  throw new InferPipeError("SERVER_ERROR", `the answer is ${type}, not a stream of events`, {
    status: head.status,
    requestId: head.headers["x-request-id"],
  });
}

/** The Location of the execution that a start has begun. */
function executionIdOf(head: Head): string | undefined {
  return /\/executions\/([^/?]+)/.exec(head.headers["location"] ?? "")?.[1];
}

function isNew(id: string | undefined, last: string | undefined): boolean {
  return id === undefined || last === undefined || Number(id) > Number(last);
}

/** Undefined for what this version does not know. */
function chunkOf(event: ServerEvent): StreamChunk | undefined {
  let data: Partial<StreamChunk>;
  try {
    data = JSON.parse(event.data) as Partial<StreamChunk>;
  } catch (cause) {
    throw new InferPipeError("SERVER_ERROR", "an event of the stream is not JSON", { cause });
  }
  if (!types.has(event.event)) return undefined;
  const type = event.event as StreamChunk["type"];
  const timestamp = data.timestamp ?? new Date().toISOString();
  return "payload" in data ? { type, timestamp, payload: data.payload } : { type, timestamp };
}

/** For `for await`: leaving the loop, or `return`, ends the request also while it waits. */
export function iterable(
  chunks: AsyncGenerator<StreamChunk, void, void>,
  stop: AbortController,
  onEnd: (error: unknown) => void,
): AsyncIterableIterator<StreamChunk> {
  const end: IteratorResult<StreamChunk, undefined> = { done: true, value: undefined };
  let left = false;
  return {
    async next() {
      try {
        const step = await chunks.next();
        if (step.done) onEnd(undefined);
        return step.done ? end : step;
      } catch (error) {
        if (left) return end;
        onEnd(error);
        throw error;
      }
    },
    async return() {
      left = true;
      stop.abort();
      await chunks.return().catch(() => undefined);
      onEnd(undefined);
      return end;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
