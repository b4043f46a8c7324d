import { toJson } from "@bufbuild/protobuf";
import type { Logger } from "@subnet-worker/kit";
import { type Envelope, EnvelopeSchema } from "@subnet-worker/protocol";
import { withoutQueries } from "../../domain/without-urls.ts";

export type Direction = "sent" | "received";

const LONGEST_TEXT = 1_000;

/** Base64 in protobuf's JSON; people want to read what is text. */
const BYTES: ReadonlySet<string> = new Set(["resultInline", "inlineBytes"]);

/** Header names whose values are no secret. */
const PLAIN_HEADERS = /^(content-|cache-control$|if-)/i;

/** Writes an envelope to the log at level trace, as JSON; costs nothing when that is off. */
export function traceEnvelope(logger: Logger, direction: Direction, message: Envelope): void {
  if (!logger.isLevelEnabled("trace")) return;
  logger.trace({ direction, envelope: elide(toJson(EnvelopeSchema, message)) }, "envelope");
}

/** JSON without the query strings of URLs, and long texts cut. */
export function elide(value: unknown, key = ""): unknown {
  if (typeof value === "string") return elideText(BYTES.has(key) ? textOf(value) : value);
  if (Array.isArray(value)) return value.map((item: unknown) => elide(item, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      key === "headers" && !PLAIN_HEADERS.test(name) ? "…" : elide(item, name),
    ]),
  );
}

function elideText(text: string): string {
  const cut =
    text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)` : text;
  return withoutQueries(cut);
}

function textOf(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `${bytes.length} bytes`; // no text: how long it is says more
  }
}
