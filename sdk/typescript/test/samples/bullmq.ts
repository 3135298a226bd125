/** Background jobs of BullMQ, on a real Redis. */
import { inferpipe } from "./inferpipe.js";

export const saved: string[] = [];
async function saveExecutionId(id: string): Promise<void> {
  saved.push(id);
}

// ---- the sample ----
import { Queue, Worker } from "bullmq";

const aiQueue = new Queue("ai-processing");

// Add job to queue for immediate processing
async function scheduleAIProcessing(data: unknown) {
  await aiQueue.add("process-content", {
    workflowId: "content-enhancement",
    input: data,
  });
}

// Process jobs with execute() for immediate results
const worker = new Worker("ai-processing", async (job) => {
  const { workflowId, input } = job.data as {
    workflowId: string;
    input: unknown;
  };

  const result = await inferpipe.execute({
    workflowId,
    input,
  });

  return result.data;
});

// Alternative: Use executeAsync() for long-running workflows
async function scheduleLongRunningAI(data: unknown) {
  const execution = await inferpipe.executeAsync({
    workflowId: "document-analysis",
    input: data,
  });
  await saveExecutionId(execution.id);
}
// ---- the end of the sample ----

export { aiQueue, scheduleAIProcessing, scheduleLongRunningAI, worker };
