/** A result that is checked at the edge. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
import { z } from "zod";

const OutputSchema = z.object({
  date: z.object({ name: z.string(), number: z.string() }),
  events: z.array(
    z.object({
      id: z.string(),
      title: z.string(),
      time: z.string(),
      color: z.string(),
      isNew: z.boolean(),
    })
  ),
});

type Output = z.infer<typeof OutputSchema>;

const result = await inferpipe.execute<{ input_as_text: string }, Output>({
  workflowId: "calendar-classifier",
  input: { input_as_text: "classify: meeting at 10am" },
});

const parsed = OutputSchema.parse(result.data);
// ---- the end of the sample ----

export { parsed, result };
