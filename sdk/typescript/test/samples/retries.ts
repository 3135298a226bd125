/** Retries of one's own around those of the package. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
// Robust error handling with custom retry logic
async function reliableWorkflowExecution(workflowId: string, input: unknown) {
  const maxRetries = 3;
  let attempt = 0;

  while (attempt < maxRetries) {
    try {
      const result = await inferpipe.execute({
        workflowId,
        input,
        retry: {
          attempts: 3,
          backoff: "exponential",
          maxDelayMs: 30_000,
        },
      });

      return result;
    } catch (error) {
      attempt++;
      if (attempt >= maxRetries) {
        throw new Error(
          `Workflow failed after ${maxRetries} attempts: ${(error as Error).message}`
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * attempt));
    }
  }
}
// ---- the end of the sample ----

export { reliableWorkflowExecution };
