/** Many at once, a few at a time. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
// Process multiple items with simple concurrency
async function processDocumentsBatch(
  documents: Array<{ content: string; metadata?: unknown }>
) {
  const batchSize = 5;
  const results: Array<PromiseSettledResult<unknown>> = [] as unknown as Array<
    PromiseSettledResult<unknown>
  >;

  for (let i = 0; i < documents.length; i += batchSize) {
    const batch = documents.slice(i, i + batchSize);

    const batchPromises = batch.map((doc) =>
      inferpipe.execute({
        workflowId: "document-analysis",
        input: { document: doc.content, metadata: doc.metadata },
      })
    );

    const batchResults = await Promise.allSettled(batchPromises);
    results.push(...batchResults);
  }

  return results;
}
// ---- the end of the sample ----

export { processDocumentsBatch };
