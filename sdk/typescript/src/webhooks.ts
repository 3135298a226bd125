/**
 * Is a webhook from the server, and fresh?
 *
 * The header `x-inferpipe-signature` is `t=<unix seconds>,v1=<hex>`, where v1 is the HMAC-SHA256
 * of "t.body" under the secret. While a secret rotates there are several v1, and one that fits is
 * enough. A stamp more than five minutes off is refused: what was recorded once cannot be played
 * again later.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

import { InferPipeError } from "./error.js";

export const TOLERANCE_S = 300;
const HEADER_MAX = 1024;

export interface Verdict {
  valid: boolean;
  /** Unix seconds, as signed; 0 when the header does not say. */
  timestamp: number;
}

interface Signature {
  timestamp: number;
  stamp: string;
  digests: Buffer[];
}

/** The key is the whole text of the secret, its `whsec_` included. */
function digestOf(secret: string, stamp: string, payload: string | Buffer): Buffer {
  return createHmac("sha256", secret).update(`${stamp}.`).update(payload).digest();
}

/** Undefined when the header is not what a server writes; a second `t` is not. */
function parse(header: string): Signature | undefined {
  let stamp: string | undefined;
  const digests: Buffer[] = [];
  if (header.length > HEADER_MAX) return undefined;
  for (const part of header.split(",")) {
    const [name, value = ""] = part.trim().split("=", 2);
    if (name === "t") {
      if (stamp !== undefined || !/^\d{1,12}$/.test(value)) return undefined;
      stamp = value;
    } else if (name === "v1" && /^[0-9a-f]{64}$/.test(value)) {
      digests.push(Buffer.from(value, "hex"));
    }
  }
  if (stamp === undefined) return undefined;
  return { timestamp: Number(stamp), stamp, digests };
}

export function verify(
  payload: string | Buffer,
  signature: string,
  secrets: readonly string[],
  nowMs = Date.now(),
): Verdict {
  if (secrets.length === 0)
    throw new InferPipeError(
      "INVALID_INPUT",
      "no webhook secret: give webhookSecret or set INFERPIPE_WEBHOOK_SECRET",
    );
  const parsed = parse(signature);
  if (!parsed) return { valid: false, timestamp: 0 };
  const fresh = Math.abs(nowMs / 1000 - parsed.timestamp) <= TOLERANCE_S;
  let fits = false;
  for (const secret of secrets) {
    const expected = digestOf(secret, parsed.stamp, payload);
    for (const digest of parsed.digests) fits = timingSafeEqual(digest, expected) || fits;
  }
  return { valid: fits && fresh, timestamp: parsed.timestamp };
}

/** The header that a server would send; for tests. */
export function sign(payload: string | Buffer, secret: string, nowMs = Date.now()): string {
  const stamp = String(Math.floor(nowMs / 1000));
  return `t=${stamp},v1=${digestOf(secret, stamp, payload).toString("hex")}`;
}
