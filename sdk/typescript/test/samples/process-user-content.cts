/** What the sample with Jest tests: it loads the package when it is called, so it gets the mock. */
export async function processUserContent(_user: string, text: string): Promise<unknown> {
  const { InferPipe } = require("@inferpipe/sdk") as typeof import("@inferpipe/sdk", { with: { "resolution-mode": "require" } });
  const inferpipe = new InferPipe({ apiKey: "", workspaceId: "" });
  const result = await inferpipe.execute({ workflowId: "sentiment-analysis", input: { text } });
  return result.data;
}
