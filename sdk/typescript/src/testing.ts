/**
 * `@inferpipe/sdk/testing`: a client for unit tests that needs no server.
 *
 *   const mock = new MockInferPipe();
 *   mock.on("sentiment-analysis").returns({ sentiment: "positive", confidence: 0.95 });
 *   await classify(mock, "Great product!");
 *   mock.calls[0]; // { method: "execute", workflowId: "sentiment-analysis", input: { ... } }
 *
 * It is an InferPipe to types and to instanceof. A workflow that nothing was said about fails with
 * NOT_FOUND, as on a server. What was started can be looked at: an execution has ended as soon as
 * it was started, unless `hangs` was said.
 */
import { randomBytes } from "node:crypto";

import { InferPipe } from "./client.js";
import { InferPipeError, errorOfExecution } from "./error.js";
import type { InferPipeErrorDetails } from "./error.js";
import { timedOut } from "./transport.js";
import type {
  ExecutionInfo,
  ExecutionResult,
  ExecutionStatus,
  HealthStatus,
  StartOptions,
  StreamChunk,
} from "./types.js";
import { sign } from "./webhooks.js";

export interface MockCall {
  method:
    | "execute"
    | "executeAsync"
    | "executeStream"
    | "waitForExecution"
    | "getExecution"
    | "cancelExecution"
    | "health";
  workflowId?: string;
  input?: unknown;
  /** Of a start, as given. */
  options?: StartOptions<unknown>;
  executionId?: string;
}

type Outcome =
  | { kind: "completed"; data: unknown }
  | { kind: "failed"; code: string; message: string }
  | { kind: "refused"; error: InferPipeError }
  | { kind: "running" };
type Answer = (input: unknown) => Outcome | Promise<Outcome>;

/** What a workflow does, call after call; the last word holds for all later calls. */
export class MockWorkflow {
  readonly #answers: Answer[] = [];
  chunks: StreamChunk[] = [];

  /** Completes with `data`, or with what a function of the input gives. */
  returns(data: unknown): this {
    this.#answers.push(async (input) => ({
      kind: "completed",
      data: typeof data === "function" ? await (data as (input: unknown) => unknown)(input) : data,
    }));
    return this;
  }

  /** The execution fails. */
  fails(code: string, message = "it failed"): this {
    this.#answers.push(() => ({ kind: "failed", code, message }));
    return this;
  }

  /** There is no execution: the server says no, or is away. */
  refuses(code: string, message = "it was refused", details: InferPipeErrorDetails = {}): this {
    const error = new InferPipeError(code, message, details);
    this.#answers.push(() => ({ kind: "refused", error }));
    return this;
  }

  /** Runs until it is canceled: execute ends with TIMEOUT. */
  hangs(): this {
    this.#answers.push(() => ({ kind: "running" }));
    return this;
  }

  /** Its stream, in front of `done`; texts are tokens. */
  streams(...chunks: Array<string | StreamChunk>): this {
    this.chunks = chunks.map((chunk) =>
      typeof chunk === "string" ? { type: "token", timestamp: now(), payload: chunk } : chunk,
    );
    return this;
  }

  async next(input: unknown): Promise<Outcome> {
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    return answer ? await answer(input) : { kind: "completed", data: null };
  }
}

const SECRET = "mock-secret";

export class MockInferPipe extends InferPipe {
  /** All calls, the oldest first. */
  readonly calls: MockCall[] = [];
  readonly #workflows = new Map<string, MockWorkflow>();
  readonly #executions = new Map<string, ExecutionStatus>();
  readonly #secret: string;
  #health: HealthStatus | InferPipeError = { status: "healthy", version: "mock" };

  constructor({ webhookSecret = SECRET }: { webhookSecret?: string } = {}) {
    super({ apiKey: "mock", workspaceId: "mock", baseUrl: "http://mock.invalid", webhookSecret });
    this.#secret = webhookSecret;
  }

  /** Says what a workflow does. */
  on(workflowId: string): MockWorkflow {
    const workflow = this.#workflows.get(workflowId) ?? new MockWorkflow();
    this.#workflows.set(workflowId, workflow);
    return workflow;
  }

  setHealth(health: HealthStatus | InferPipeError): void {
    this.#health = health;
  }

  /** The signature that a server would send with `payload`. */
  signWebhook(payload: string | Buffer): string {
    return sign(payload, this.#secret);
  }

  /** Forgets calls, workflows and executions. */
  reset(): void {
    this.calls.length = 0;
    this.#workflows.clear();
    this.#executions.clear();
    this.#health = { status: "healthy", version: "mock" };
  }

  override async execute<Input, Output = unknown>(
    options: StartOptions<Input>,
  ): Promise<ExecutionResult<Output>> {
    return this.#result<Output>(await this.#begin("execute", options));
  }

  override async executeAsync<Input>(options: StartOptions<Input>): Promise<ExecutionInfo> {
    const { id, createdAt = now() } = await this.#begin("executeAsync", options);
    return { id, status: "queued", createdAt };
  }

  override async *executeStream<Input>(options: StartOptions<Input>): AsyncGenerator<StreamChunk> {
    const execution = await this.#begin("executeStream", options);
    const { id, status, data, error } = execution;
    for (const chunk of this.on(options.workflowId).chunks) yield chunk;
    if (error) yield { type: "error", timestamp: now(), payload: error };
    const payload = data === undefined ? { id, status } : { id, status, data };
    yield { type: "done", timestamp: now(), payload };
  }

  override async waitForExecution<Output = unknown>(
    executionId: string,
  ): Promise<ExecutionResult<Output>> {
    this.calls.push({ method: "waitForExecution", executionId });
    return this.#result<Output>(this.#find(executionId));
  }

  override async getExecution<Output = unknown>(
    executionId: string,
  ): Promise<ExecutionStatus<Output>> {
    this.calls.push({ method: "getExecution", executionId });
    return { ...this.#find(executionId) } as ExecutionStatus<Output>;
  }

  override async cancelExecution(executionId: string): Promise<void> {
    this.calls.push({ method: "cancelExecution", executionId });
    const execution = this.#find(executionId);
    if (execution.status !== "running")
      throw new InferPipeError("CONFLICT", "it has ended", { status: 409, executionId });
    execution.status = "canceled";
  }

  override async health(): Promise<HealthStatus> {
    this.calls.push({ method: "health" });
    if (this.#health instanceof InferPipeError) throw this.#health;
    return this.#health;
  }

  async #begin<Input>(
    method: MockCall["method"],
    options: StartOptions<Input>,
  ): Promise<ExecutionStatus> {
    const { workflowId, input } = options;
    this.calls.push({ method, workflowId, input, options: options as StartOptions<unknown> });
    const workflow = this.#workflows.get(workflowId);
    if (!workflow)
      throw new InferPipeError("NOT_FOUND", `unknown workflow "${workflowId}"`, { status: 404 });
    const outcome = await workflow.next(input);
    if (outcome.kind === "refused") throw outcome.error;
    const id = `exe_${randomBytes(8).toString("hex").slice(0, 13)}`;
    const execution = { id, createdAt: now(), ...stateOf(outcome) };
    this.#executions.set(id, execution);
    return execution;
  }

  #find(executionId: string): ExecutionStatus {
    const execution = this.#executions.get(executionId);
    if (execution) return execution;
    throw new InferPipeError("NOT_FOUND", `unknown execution "${executionId}"`, { status: 404 });
  }

  #result<Output>({ id, status, data, error }: ExecutionStatus): ExecutionResult<Output> {
    if (status === "completed")
      return { id, status, data: data as Output, durationMs: 0, trace: { id: "0".repeat(32) } };
    if (status === "running") throw timedOut(id);
    throw errorOfExecution({ id, status, ...(error ? { error } : {}) });
  }
}

function stateOf(outcome: Exclude<Outcome, { kind: "refused" }>): Omit<ExecutionStatus, "id"> {
  if (outcome.kind === "completed") return { status: "completed", data: outcome.data };
  if (outcome.kind === "running") return { status: "running" };
  return { status: "failed", error: { code: outcome.code, message: outcome.message } };
}

function now(): string {
  return new Date().toISOString();
}
