/** A client configured by its environment. */
import { InferPipe } from "@inferpipe/sdk";

// ---- the sample ----
interface InferPipeEnvConfig {
  apiKey: string;
  workspaceId: string;
  baseUrl: string;
  timeoutMs: number;
  retries: number;
}

function getInferPipeConfig(): InferPipeEnvConfig {
  const env = process.env.NODE_ENV || "development";

  const config: Record<string, Partial<InferPipeEnvConfig>> = {
    development: {
      baseUrl: "https://dev-api.inferpipe.com",
      timeoutMs: 60_000,
      retries: 1,
    },
    staging: {
      baseUrl: "https://staging-api.inferpipe.com",
      timeoutMs: 120_000,
      retries: 2,
    },
    production: {
      baseUrl: "https://api.inferpipe.com",
      timeoutMs: 180_000,
      retries: 3,
    },
  };

  return {
    // @ts-expect-error what is spread below says that it has one; it has none
    apiKey: process.env.INFERPIPE_API_KEY!,
    // @ts-expect-error what is spread below says that it has one; it has none
    workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
    ...(config[env] as InferPipeEnvConfig),
  };
}

export const inferpipeFromEnv = new InferPipe(getInferPipeConfig());
