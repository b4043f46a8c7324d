import { createTraceState, type SpanContext } from "@opentelemetry/api";

const FORM = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** A span as `traceparent` of version 00 writes it. */
export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, "0")}`;
}

/**
 * The span that a `traceparent` names; `undefined` for none, and for what is no `traceparent`: a trace
 * that begins anew is what the standard asks for then. Of a later version the known part is read.
 */
export function parseTraceContext(metadata: Readonly<Record<string, string>>): SpanContext | undefined {
  const { traceparent = "", tracestate = "" } = metadata;
  const [, version, traceId = "", spanId = "", flags = "00", rest] = FORM.exec(traceparent.trim()) ?? [];
  if (version === undefined || (version === "00" && rest !== undefined)) return undefined;
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(tracestate === "" ? {} : { traceState: createTraceState(tracestate) }),
  };
}
