/** Follow an execution. Run as a program. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
for await (const chunk of inferpipe.executeStream({
  workflowId: "chat-assist",
  input: { prompt: "Explain vector databases" },
})) {
  if (chunk.type === "token") process.stdout.write(String(chunk.payload));
}
