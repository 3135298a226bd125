/** W3C trace context: which trace a call belongs to. */
import { randomBytes } from "node:crypto";

export interface Trace {
  traceId: string;
  traceparent: string;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACE_ID = /^[0-9a-f]{32}$/;
const NOTHING = /^0+$/;

/**
 * A parent that is a traceparent passes through; one that is a trace id gets a span; without one a
 * trace begins here. Undefined for anything else, which only the server can judge.
 */
export function traceOf(parentId: string | undefined): Trace | undefined {
  const whole = parentId === undefined ? null : TRACEPARENT.exec(parentId);
  if (parentId !== undefined && whole?.[1]) return { traceId: whole[1], traceparent: parentId };
  if (parentId !== undefined && !TRACE_ID.test(parentId)) return undefined;
  const traceId = parentId ?? randomId(16);
  return { traceId, traceparent: `00-${traceId}-${randomId(8)}-01` };
}

function randomId(bytes: number): string {
  const id = randomBytes(bytes).toString("hex");
  return NOTHING.test(id) ? randomId(bytes) : id;
}
