/** A route of the Next.js App Router that receives webhooks. */
// ---- the sample ----
// Next.js App Router route example
import { headers } from "next/headers";
import { InferPipe } from "@inferpipe/sdk";

const inferpipe = new InferPipe({
  apiKey: process.env.INFERPIPE_API_KEY!,
  workspaceId: process.env.INFERPIPE_WORKSPACE_ID!,
});

export async function POST(req: Request) {
  const body = await req.text();
  const signature = (await headers()).get("x-inferpipe-signature") ?? "";
  const { valid } = inferpipe.webhooks.verify(body, signature);
  if (!valid) return new Response("Invalid signature", { status: 400 });

  const event = JSON.parse(body);
  // handle event.data / event.executionId / event.status
  return new Response("ok");
}
