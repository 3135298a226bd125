/**
 * The exported types are exactly those that were promised: this file does not compile otherwise.
 * Members may be added only where they are optional, and never to these.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { InferPipe, InferPipeError, VERSION } from "@inferpipe/sdk";
import type * as sdk from "@inferpipe/sdk";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_proof: Same<A, B>): void => undefined;

interface ExecutionInfo {
  id: string;
  status: "queued" | "running" | "completed" | "failed";
  createdAt: string;
}
interface ExecutionResult<Output = unknown> {
  id: string;
  status: "completed";
  data: Output;
  durationMs?: number;
  cost?: { tokens?: number; usd?: number };
  trace?: { id: string; url?: string };
}
interface StreamChunk {
  type: "log" | "token" | "data" | "error" | "done";
  timestamp: string;
  payload?: unknown;
}
interface ExecutionStatus<Output = unknown> {
  id: string;
  status: "queued" | "running" | "completed" | "failed" | "canceled";
  data?: Output;
  error?: { code?: string; message: string };
  createdAt?: string;
  startedAt?: string;
  updatedAt?: string;
}
interface HealthStatus {
  status: "healthy" | "unhealthy";
  version?: string;
  time?: string;
}
interface ExecuteOptions<Input = Record<string, unknown>> {
  workflowId: string;
  input: Input;
  timeoutMs?: number;
  metadata?: Record<string, unknown>;
  idempotencyKey?: string;
  retry?: { attempts: number; backoff?: "fixed" | "exponential"; maxDelayMs?: number };
  trace?: { parentId?: string; tags?: Record<string, string> };
}
interface Client {
  execute<Input, Output = unknown>(
    options: ExecuteOptions<Input>,
  ): Promise<ExecutionResult<Output>>;
  executeAsync<Input>(options: ExecuteOptions<Input>): Promise<ExecutionInfo>;
  executeStream<Input>(options: ExecuteOptions<Input>): AsyncIterable<StreamChunk>;
  webhooks: {
    verify: (payload: string | Buffer, signature: string) => { valid: boolean; timestamp: number };
  };
  getExecution<Output = unknown>(executionId: string): Promise<ExecutionStatus<Output>>;
  cancelExecution(executionId: string): Promise<void>;
  health(): Promise<HealthStatus>;
}
/** Optional members also take undefined, as `process.env.X` gives it. */
type Loose<T> = T extends (infer E)[]
  ? E[]
  : T extends object
    ? { [K in keyof T]: undefined extends T[K] ? Loose<T[K]> | undefined : T[K] }
    : T;

test("types", () => {
  same<
    { [K in keyof sdk.ExecutionInfo]: sdk.ExecutionInfo[K] },
    { [K in keyof ExecutionInfo]: ExecutionInfo[K] }
  >(true);
  same<
    { [K in keyof sdk.ExecutionResult<7>]: sdk.ExecutionResult<7>[K] },
    { [K in keyof ExecutionResult<7>]: ExecutionResult<7>[K] }
  >(true);
  same<
    { [K in keyof sdk.StreamChunk]: sdk.StreamChunk[K] },
    { [K in keyof StreamChunk]: StreamChunk[K] }
  >(true);
  same<
    { [K in keyof sdk.ExecutionStatus<7>]: sdk.ExecutionStatus<7>[K] },
    { [K in keyof ExecutionStatus<7>]: ExecutionStatus<7>[K] }
  >(true);
  same<
    { [K in keyof sdk.HealthStatus]: sdk.HealthStatus[K] },
    { [K in keyof HealthStatus]: HealthStatus[K] }
  >(true);
  const given: ExecuteOptions = { workflowId: "w", input: {} };
  const taken: sdk.ExecuteOptions = given;
  const loose: Loose<ExecuteOptions> = taken;
  same<keyof sdk.ExecuteOptions, keyof ExecuteOptions>(true);
  assert.ok(loose);

  const client: Client = new InferPipe({ apiKey: "k", workspaceId: "w" });
  assert.equal(typeof client.execute, "function");

  const error: Error = new InferPipeError("CODE", "text");
  const e = error as InferPipeError; // a class is a type, too
  const members: [
    name: "InferPipeError",
    code: string,
    status?: number,
    requestId?: string,
    executionId?: string,
  ] = [e.name, e.code];
  assert.deepEqual(members, ["InferPipeError", "CODE"]);
});

test("an InferPipeError is an error, with a stack and a cause", () => {
  const cause = new Error("inner");
  const error = new InferPipeError("CODE", "text", { cause });
  assert.ok(error instanceof InferPipeError && error instanceof Error);
  assert.ok(!((new Error("x") as unknown) instanceof InferPipeError));
  assert.equal(String(error), "InferPipeError: text");
  assert.match(error.stack ?? "", /types\.test/);
  assert.equal(error.cause, cause);
});

test("the version is the package's", () => {
  const file = new URL("../../package.json", import.meta.url);
  assert.equal(VERSION, (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version);
});
