/** A plugin of Fastify. */
// ---- the sample ----
// plugins/inferpipe.ts
import fp from "fastify-plugin";
import { InferPipe } from "@inferpipe/sdk";

export default fp(async function (fastify) {
  const inferpipe = new InferPipe({
    apiKey: process.env.INFERPIPE_API_KEY!,
    workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
  });

  fastify.decorate("inferpipe", inferpipe);
});
