/** Metrics around each execution. */
import crypto from "node:crypto";

import type { InferPipe } from "@inferpipe/sdk";

// ---- the sample ----
class InferPipeMonitor {
  constructor(private inferpipe: InferPipe) {}

  async executeWithMetrics(workflowId: string, input: unknown) {
    const startTime = Date.now();

    try {
      const result = await this.inferpipe.execute({
        workflowId,
        input,
        metadata: {
          requestId: crypto.randomUUID(),
          source: "api",
        },
      });

      const duration = Date.now() - startTime;
      this.recordMetrics("success", workflowId, duration);
      return result;
    } catch (error) {
      const duration = Date.now() - startTime;
      this.recordMetrics("error", workflowId, duration, error);
      throw error;
    }
  }

  private recordMetrics(
    status: string,
    workflowId: string,
    duration: number,
    error?: unknown
  ) {
    console.log({
      status,
      workflowId,
      duration,
      error: (error as Error)?.message,
      timestamp: new Date().toISOString(),
    });
  }
}
// ---- the end of the sample ----

export { InferPipeMonitor };
