/** Start and go on. Run as a program. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
const exec = await inferpipe.executeAsync({
  workflowId: "document-analysis",
  input: { documentUrl: "https://example.com/doc.pdf" },
  metadata: { customerId: "cus_123" },
});

console.log("Execution ID:", exec.id);
// Later, webhook receives the completion payload
