/** The client that samples without one of their own use. */
import { InferPipe } from "@inferpipe/sdk";

export const inferpipe = new InferPipe({
  apiKey: process.env.INFERPIPE_API_KEY!,
  workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
});
