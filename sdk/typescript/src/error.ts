/**
 * One error class for all that can go wrong.
 *
 * `code` is for programs: the server's, or one of this side: `TIMEOUT` (the time allowed has
 * passed), `UNAVAILABLE` (the network broke), `ABORTED` (a signal), `INVALID_INPUT` (the call makes
 * no sense), `UNAUTHORIZED` (no key). An execution that failed brings the code it failed with.
 */

export interface InferPipeErrorDetails {
  status?: number | undefined;
  requestId?: string | undefined;
  executionId?: string | undefined;
  cause?: unknown;
  errors?: ReadonlyArray<{ pointer: string; message: string }> | undefined;
}

export class InferPipeError extends Error {
  override readonly name: "InferPipeError" = "InferPipeError";
  readonly code: string;
  /** HTTP status; none when no answer came. */
  declare readonly status?: number;
  /** To be named when asking for help. */
  declare readonly requestId?: string;
  /** The execution that exists although the call failed. */
  declare readonly executionId?: string;
  /** What is wrong with the input, by JSON Pointer. */
  declare readonly errors?: ReadonlyArray<{ pointer: string; message: string }>;

  constructor(code: string, message: string, details: InferPipeErrorDetails = {}) {
    super(message);
    this.code = code;
    if (details.status !== undefined) this.status = details.status;
    if (details.requestId !== undefined) this.requestId = details.requestId;
    if (details.executionId !== undefined) this.executionId = details.executionId;
    if (details.cause !== undefined) this.cause = details.cause;
    if (details.errors !== undefined) this.errors = details.errors;
  }

  /** By name: a program may have loaded the package both as a module and through require. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === "InferPipeError";
  }
}

/** The same error, of a call for an execution that exists. */
export function withExecution(error: unknown, executionId: string): unknown {
  if (!(error instanceof InferPipeError) || error.executionId !== undefined) return error;
  return new InferPipeError(error.code, error.message, { ...error, executionId });
}

/** Codes for answers without an error object, as of a proxy in between. */
const codes: Readonly<Record<number, string>> = {
  400: "INVALID_INPUT",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  408: "TIMEOUT",
  409: "CONFLICT",
  413: "PAYLOAD_TOO_LARGE",
  422: "IDEMPOTENCY_MISMATCH",
  429: "RATE_LIMITED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "TIMEOUT",
};

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The error that an answer is; `body` is its text, whatever that may be. */
export function errorOf(
  status: number,
  requestId: string | undefined,
  body: string,
): InferPipeError {
  let problem: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) problem = parsed as typeof problem;
  } catch {
    // not ours: the status has to do
  }
  const code = text(problem["code"]) ?? codes[status] ?? "SERVER_ERROR";
  const message =
    text(problem["message"]) ?? text(problem["detail"]) ?? `the server answered ${status}`;
  return new InferPipeError(code, message, {
    status,
    requestId: requestId ?? text(problem["requestId"]),
    executionId: text(problem["executionId"]),
    errors: Array.isArray(problem["errors"]) ? problem["errors"] : undefined,
  });
}

/** HTTP statuses of codes that an execution may have failed with; those of users are 500. */
const statuses: Readonly<Record<string, number>> = {
  INVALID_INPUT: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  CANCELED: 409,
  PAYLOAD_TOO_LARGE: 413,
  IDEMPOTENCY_MISMATCH: 422,
  RATE_LIMITED: 429,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
};

/** The error of an execution that has ended and has not completed. */
export function errorOfExecution(
  execution: { id: string; status: string; error?: { code?: string; message: string } },
  requestId?: string,
): InferPipeError {
  const canceled = execution.status === "canceled";
  const code = execution.error?.code ?? (canceled ? "CANCELED" : "SERVER_ERROR");
  return new InferPipeError(code, execution.error?.message ?? `the execution ${execution.status}`, {
    status: statuses[code] ?? 500,
    requestId,
    executionId: execution.id,
  });
}
