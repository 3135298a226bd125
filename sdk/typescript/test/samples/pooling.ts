/** A pool of connections. */
import { InferPipe } from "@inferpipe/sdk";

// ---- the sample ----
const inferpipe = new InferPipe({
  apiKey: process.env.INFERPIPE_API_KEY!,
  workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
  httpOptions: { keepAlive: true, maxSockets: 50, timeout: 120_000 },
});
// ---- the end of the sample ----

export { inferpipe };
