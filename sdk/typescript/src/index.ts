/** `@inferpipe/sdk`: runs InferPipe workflows from Node.js. */
export { InferPipe } from "./client.js";
export { InferPipeError } from "./error.js";
export type { InferPipeErrorDetails } from "./error.js";
export type {
  ExecuteOptions,
  ExecutionInfo,
  ExecutionResult,
  ExecutionStatus,
  HealthStatus,
  HttpOptions,
  InferPipeConfig,
  RequestInfo,
  RequestOptions,
  ResponseInfo,
  StartOptions,
  StreamChunk,
  WaitOptions,
} from "./types.js";
export { VERSION } from "./version.js";
