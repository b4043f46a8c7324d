import type { AbiEnd } from "../thread/protocol.ts";

/** `subnet:worker/types.value`, as the glue has it. */
export type Value =
  | { readonly tag: "text" | "json"; readonly val: string }
  | { readonly tag: "bytes"; readonly val: Uint8Array };

/** Media types of what a component gives back, by case. */
const OUTPUT_TYPES = {
  text: "text/plain; charset=utf-8",
  json: "application/json",
  bytes: "application/octet-stream",
} as const;

/**
 * The case that a media type means: `application/json` and `+json` are `json`, `text/` is `text`, all others and none
 * are `bytes`. Parameters are not looked at.
 */
export function caseOf(mediaType: string | undefined): Value["tag"] {
  const type = (mediaType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json" || type.endsWith("+json")) return "json";
  return type.startsWith("text/") ? "text" : "bytes";
}

/** An input as a component of the world `handler` gets it; `undefined` when it should be text and is not UTF-8. */
export function toValue(input: Uint8Array, mediaType: string | undefined): Value | undefined {
  const tag = caseOf(mediaType);
  if (tag === "bytes") return { tag, val: input };
  const text = decoded(input);
  return text === undefined ? undefined : { tag, val: text };
}

/** What a component gave back, as the end of its run. */
export function toEnd(value: unknown, limitBytes: number): AbiEnd {
  if (!isValue(value))
    return { kind: "bad_output", message: "run gave back no value of subnet:worker/types" };
  const output = typeof value.val === "string" ? new TextEncoder().encode(value.val) : value.val;
  if (output.length > limitBytes) {
    return { kind: "output_too_large", limitBytes, actualBytes: output.length };
  }
  if (value.tag === "json" && !isJson(value.val)) {
    return { kind: "bad_output", message: "run gave back as json what is no JSON" };
  }
  return { kind: "completed", output, outputType: OUTPUT_TYPES[value.tag] };
}

function isValue(value: unknown): value is Value {
  if (typeof value !== "object" || value === null) return false;
  const { tag, val } = value as { readonly tag?: unknown; readonly val?: unknown };
  if (tag === "bytes") return ArrayBuffer.isView(val);
  return (tag === "text" || tag === "json") && typeof val === "string";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
