/** A client for a scripted server, and what its calls end with. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";

import { InferPipe, InferPipeError } from "@inferpipe/sdk";
import type { InferPipeConfig } from "@inferpipe/sdk";

import { Scripted } from "./scripted.js";
import type { Step } from "./scripted.js";

export function client(url: string, config: Partial<InferPipeConfig> = {}): InferPipe {
  return new InferPipe({ apiKey: "ifp_key", workspaceId: "ws", baseUrl: url, ...config });
}

/** Both end with the test. */
export async function scripted(
  t: TestContext,
  steps: Step[],
  config: Partial<InferPipeConfig> = {},
): Promise<{ server: Scripted; inferpipe: InferPipe }> {
  const server = await Scripted.open(...steps);
  const inferpipe = client(server.url, config);
  t.after(async () => {
    inferpipe.close();
    await server.close();
  });
  return { server, inferpipe };
}

/** The error that the promise must end with. */
export async function failure(promise: Promise<unknown>): Promise<InferPipeError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof InferPipeError, `not an InferPipeError: ${String(error)}`);
  return error;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
