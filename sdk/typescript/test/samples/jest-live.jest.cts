/** A test against a server for tests, run by Jest. */
import { expect, test } from "@jest/globals";
import { InferPipe } from "@inferpipe/sdk";

// ---- the sample ----
const testInferPipe = new InferPipe({
  apiKey: process.env.INFERPIPE_TEST_API_KEY!,
  workspaceId: process.env.INFERPIPE_TEST_WORKSPACE_ID!,
  baseUrl: "https://test-api.inferpipe.com",
});

test("should execute test workflow", async () => {
  const result = await testInferPipe.execute({
    workflowId: "test-echo",
    input: { message: "hello world" },
  });
  expect((result as any).data.message).toBe("hello world");
});
