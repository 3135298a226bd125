/** Settings by workflow. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
const WORKFLOW_CONFIGS = {
  "sentiment-analysis": { timeoutMs: 30_000, retries: 2 },
  "document-processing": { timeoutMs: 180_000, retries: 1 },
  "image-generation": { timeoutMs: 300_000, retries: 0 },
} as const;

async function executeWorkflow(
  workflowId: keyof typeof WORKFLOW_CONFIGS,
  input: unknown
) {
  const config = WORKFLOW_CONFIGS[workflowId];
  return await inferpipe.execute({
    workflowId,
    input,
    timeoutMs: config.timeoutMs,
    retry: { attempts: config.retries },
  });
}
// ---- the end of the sample ----

export { executeWorkflow };
