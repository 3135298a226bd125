/** A handler of the Next.js pages router. */
// ---- the sample ----
// pages/api/analyze-sentiment.ts
import { NextApiRequest, NextApiResponse } from "next";
import { InferPipe } from "@inferpipe/sdk";

const inferpipe = new InferPipe({
  apiKey: process.env.INFERPIPE_API_KEY!,
  workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
});

export default async function handler(
  req: NextApiRequest,
  res: NextApiResponse
) {
  if (req.method !== "POST") {
    return res.status(405).json({ error: "Method not allowed" });
  }

  try {
    const { text } = req.body as { text: string };

    const result = await inferpipe.execute({
      workflowId: "sentiment-analysis",
      input: { text },
    });

    res.status(200).json(result.data);
  } catch (error) {
    res.status(500).json({ error: "Analysis failed" });
  }
}
