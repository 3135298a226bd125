/** A route of Express, and its health check. */
import type { InferPipeError } from "@inferpipe/sdk";

// ---- the sample ----
import express from "express";
import { InferPipe } from "@inferpipe/sdk";

const app = express();
app.use(express.json());

const inferpipe = new InferPipe({
  apiKey: process.env.INFERPIPE_API_KEY!,
  workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
});

app.post("/analyze", async (req, res) => {
  try {
    const result = await inferpipe.execute({
      workflowId: "sentiment-analysis",
      input: { text: req.body.text },
    });
    res.json(result.data);
  } catch (err) {
    const e = err as InferPipeError;
    res
      .status(e.status ?? 500)
      .json({ code: e.code, message: e.message, requestId: e.requestId });
  }
});
// ---- the next sample ----
// Health check endpoint
app.get("/health/inferpipe", async (req, res) => {
  try {
    const health = await inferpipe.health();
    res.json({
      status: "healthy",
      inferpipe: health,
      timestamp: new Date().toISOString(),
    });
  } catch (error) {
    res.status(503).json({
      status: "unhealthy",
      error: (error as Error).message,
      timestamp: new Date().toISOString(),
    });
  }
});
// ---- the end of the sample ----

export { app };
