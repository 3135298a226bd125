/** The routes that use the plugin. */
import type { InferPipe } from "@inferpipe/sdk";
import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyInstance {
    inferpipe: InferPipe;
  }
}

export function addRoutes(fastify: FastifyInstance): void {
// ---- the sample ----
// routes/ai.ts
fastify.post("/translate", async (request, reply) => {
  const { text, targetLanguage } = request.body as {
    text: string;
    targetLanguage: string;
  };

  const result = await fastify.inferpipe.execute({
    workflowId: "translation",
    input: { text, targetLanguage },
  });

  return result.data;
});
// ---- the end of the sample ----
}
