/** A unit test with a mock, run by Jest. */
import { expect, test } from "@jest/globals";

import { processUserContent } from "./process-user-content.cjs";

// ---- the sample ----
import { jest } from "@jest/globals";

const mockInferPipe = {
  execute: jest.fn(),
  executeAsync: jest.fn(),
  executeStream: jest.fn(),
  getExecution: jest.fn(),
};

jest.mock("@inferpipe/sdk", () => ({
  InferPipe: jest.fn(() => mockInferPipe),
}));

test("should process content successfully", async () => {
  // @ts-expect-error a jest.fn() without types gives `never`
  mockInferPipe.execute.mockResolvedValue({
    data: { sentiment: "positive", confidence: 0.95 },
  });

  const result = await processUserContent("user123", "Great product!");
  expect(result).toEqual({ sentiment: "positive", confidence: 0.95 });
});
