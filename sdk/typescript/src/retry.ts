/**
 * When a request is sent again, and after how long.
 *
 * Only what may be repeated without harm is: see client.ts for which requests those are. Of their
 * errors only those that may pass: too many requests, a server that is away, a connection that
 * broke. An error that names an execution is final, as that execution has ended with it.
 */
import { InferPipeError } from "./error.js";

export interface RetryPolicy {
  /** In all. */
  attempts: number;
  backoff: "fixed" | "exponential";
  maxDelayMs: number;
}

const FIRST_DELAY_MS = 200;
const FIXED_DELAY_MS = 500;
export const MAX_DELAY_MS = 8000;

const passing: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export function mayPass(error: InferPipeError): boolean {
  if (error.executionId !== undefined) return false;
  if (error.status === undefined) return error.code === "UNAVAILABLE";
  return passing.has(error.status);
}

/** Before the attempt behind `attempt`; full jitter, so that clients do not come back together. */
export function delayOf(policy: RetryPolicy, attempt: number, retryAfterMs = 0): number {
  const most =
    policy.backoff === "fixed" ? FIXED_DELAY_MS : FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 20);
  const delay = Math.min(policy.maxDelayMs, most);
  const drawn = policy.backoff === "fixed" ? delay : Math.random() * delay;
  return Math.max(drawn, retryAfterMs);
}

/** Retry-After: seconds or a date; 0 when it says nothing. */
export function retryAfterMs(value: string | undefined, nowMs = Date.now()): number {
  if (value === undefined) return 0;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}

/** Resolves after `ms`; rejects with `ABORTED` when the signal comes first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const stop = (): void => {
      clearTimeout(timer);
      if (signal) reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

export function aborted(signal: AbortSignal): InferPipeError {
  return new InferPipeError("ABORTED", "the call was aborted", { cause: signal.reason });
}
