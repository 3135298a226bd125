/** Signatures: which are taken, and which never. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";

import { InferPipe } from "@inferpipe/sdk";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const body = '{"id":"evt_1","text":"ü"}';
const now = (): number => Math.floor(Date.now() / 1000);

function digest(stamp: number | string, text: string | Buffer = body, key = secret): string {
  return createHmac("sha256", key).update(`${stamp}.`).update(text).digest("hex");
}

function inferpipe(webhookSecret?: string | string[]): InferPipe {
  return new InferPipe({ apiKey: "k", workspaceId: "w", webhookSecret });
}

test("a fresh signature is valid, for text and for bytes", () => {
  const t = now();
  const { webhooks } = inferpipe(secret);
  const signature = `t=${t},v1=${digest(t)}`;
  assert.deepEqual(webhooks.verify(body, signature), { valid: true, timestamp: t });
  assert.deepEqual(webhooks.verify(Buffer.from(body), signature), { valid: true, timestamp: t });
  const bytes = Buffer.from([0xff, 0x00, 0x80]);
  assert.ok(webhooks.verify(bytes, `t=${t},v1=${digest(t, bytes)}`).valid);
});

test("one v1 of several is enough; names that are not known are skipped", () => {
  const t = now();
  const other = "0".repeat(64);
  const signature = `t=${t},v1=${other}, v1=${digest(t)},v2=x`;
  assert.ok(inferpipe(secret).webhooks.verify(body, signature).valid);
  assert.ok(inferpipe(["whsec_new", secret]).webhooks.verify(body, signature).valid);
  assert.ok(!inferpipe(["whsec_new"]).webhooks.verify(body, signature).valid);
});

test("stamps count for five minutes, before and after", () => {
  const { webhooks } = inferpipe(secret);
  for (const [age, valid] of [
    [0, true],
    [295, true],
    [-295, true],
    [306, false],
    [-306, false],
    [86400, false],
  ] as const) {
    const t = now() - age;
    assert.deepEqual(webhooks.verify(body, `t=${t},v1=${digest(t)}`), { valid, timestamp: t });
  }
});

test("nothing else is valid", () => {
  const t = now();
  const { webhooks } = inferpipe(secret);
  const good = digest(t);
  for (const signature of [
    "",
    "nonsense",
    `t=${t}`,
    `v1=${good}`,
    `t=,v1=${good}`,
    `t=${t},t=${t},v1=${good}`,
    `t=${t}x,v1=${good}`,
    `t=-${t},v1=${good}`,
    `t=${t},v1=${good.toUpperCase()}`,
    `t=${t},v1=${good.slice(1)}`,
    `t=${t},v1=${good}00`,
    `t=${t},v0=${good}`,
    `t=${t + 1},v1=${good}`,
    `t=${t},v1=${digest(t, body, "other")}`,
    `t=${t},v1=${digest(t, body + " ")}`,
    `t=${t},v1=${good},${"x".repeat(1024)}`,
  ])
    assert.ok(!webhooks.verify(body, signature).valid, signature);
  for (let bit = 0; bit < 256; bit++) {
    const bytes = Buffer.from(good, "hex");
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.ok(!webhooks.verify(body, `t=${t},v1=${bytes.toString("hex")}`).valid);
  }
});

test("without a secret nothing is judged", (t) => {
  const before = { ...process.env };
  t.after(() => (process.env = before));
  delete process.env["INFERPIPE_WEBHOOK_SECRET"];
  const { webhooks } = inferpipe();
  assert.throws(() => webhooks.verify(body, `t=${now()},v1=${digest(now(), body, "")}`), {
    code: "INVALID_INPUT",
  });
  assert.throws(() => inferpipe("").webhooks.verify(body, "t=1,v1=x"), { code: "INVALID_INPUT" });
  process.env["INFERPIPE_WEBHOOK_SECRET"] = secret;
  assert.ok(webhooks.verify(body, `t=${now()},v1=${digest(now())}`).valid);
});
