/** Start and wait. Run as a program: what it prints is what a user sees. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
const result = await inferpipe.execute<{ topic: string }, { outline: string }>({
  workflowId: "content-generation",
  input: { topic: "AI automation" },
  retry: { attempts: 2, backoff: "exponential", maxDelayMs: 8000 },
});

console.log(result.data.outline);
