/** Results that are kept for a while. */
import { inferpipe } from "./inferpipe.js";

// ---- the sample ----
import NodeCache from "node-cache";

const cache = new NodeCache({ stdTTL: 300 });

async function cachedExecute(workflowId: string, input: unknown) {
  const cacheKey = `${workflowId}:${JSON.stringify(input)}`;
  const hit = cache.get(cacheKey);
  if (hit) return hit as unknown;

  const result = await inferpipe.execute({ workflowId, input });
  cache.set(cacheKey, result);
  return result;
}
// ---- the end of the sample ----

export { cachedExecute };
