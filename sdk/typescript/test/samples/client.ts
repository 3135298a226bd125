/** The client with everything that can be configured. */
import type { InferPipeError, RequestInfo, ResponseInfo } from "@inferpipe/sdk";

export const heard: Array<RequestInfo | ResponseInfo | InferPipeError> = [];
const onRequest = (req: RequestInfo): void => void heard.push(req);
const onResponse = (res: ResponseInfo): void => void heard.push(res);
const onError = (err: InferPipeError): void => void heard.push(err);

// ---- the sample; its `onRequest?: (req) => void` stands for the functions above ----
import { InferPipe } from "@inferpipe/sdk";

const inferpipe = new InferPipe({
  apiKey: process.env.INFERPIPE_API_KEY!,
  workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
  baseUrl: process.env.INFERPIPE_BASE_URL, // optional, defaults to cloud
  timeoutMs: 30_000,                        // optional
  headers: { "X-Custom": "..." },         // optional
  httpOptions: { keepAlive: true, maxSockets: 50 }, // optional
  // Optional hooks
  onRequest,
  onResponse,
  onError,
});
// ---- the end of the sample ----

export { inferpipe };
