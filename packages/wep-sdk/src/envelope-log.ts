import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { Clock, Logger } from "@subnet-worker/kit";
import { type Envelope, EnvelopeSchema, type InputDescriptor } from "@subnet-worker/protocol";

/** One message of one stream, for people. */
export interface EnvelopeEvent {
  /** `in`: from the worker client. */
  readonly direction: "in" | "out";
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** Address of the worker client: `127.0.0.1:51234`. */
  readonly peer: string;
  /** The node it works for; empty where it names none. */
  readonly nodeId: string;
  /** The message in protobuf's JSON form, without query strings of URLs and without inline bytes. */
  readonly envelope: JsonValue;
}

export type EnvelopeListener = (event: EnvelopeEvent) => void;

/** Which stream a message belongs to. */
export type StreamName = Pick<EnvelopeEvent, "peer" | "nodeId">;

/** Shows what goes over the streams: to the log at level trace, and to whoever listens. */
export class EnvelopeLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #listeners = new Set<EnvelopeListener>();

  constructor({ log, clock }: { readonly log: Logger; readonly clock: Clock }) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Whether anybody looks; ask before each message, since making it readable is slow. */
  get isActive(): boolean {
    return this.#listeners.size > 0 || this.#log.isLevelEnabled("trace");
  }

  add(listener: EnvelopeListener): Disposable {
    // Twice the same function is two listeners.
    const own: EnvelopeListener = (event) => listener(event);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  /** What is in a batch is shown one by one. */
  show(direction: EnvelopeEvent["direction"], stream: StreamName, message: Envelope): void {
    if (message.msg.case === "batch") {
      for (const each of message.msg.value.envelopes) this.#showOne(direction, stream, each);
    } else this.#showOne(direction, stream, message);
  }

  #showOne(direction: EnvelopeEvent["direction"], stream: StreamName, message: Envelope): void {
    const event = { direction, ...stream, atMs: this.#clock.nowMs(), envelope: readableEnvelope(message) };
    this.#log.trace(
      { direction, peer: stream.peer, node_id: stream.nodeId || undefined, envelope: event.envelope },
      "envelope",
    );
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error({ err: error }, "a listener for envelopes threw; it goes on listening");
      }
    }
  }
}

const LONGEST_TEXT_CHARS = 2_000;
const EMPTY = new Uint8Array();

/** A message in protobuf's JSON form, fit to be shown: see {@link EnvelopeEvent}. */
export function readableEnvelope(message: Envelope): JsonValue {
  const { msg } = message;
  switch (msg.case) {
    case "completion": {
      const { resultInline } = msg.value;
      const json = jsonOf({ ...message, msg: { ...msg, value: { ...msg.value, resultInline: EMPTY } } });
      if (resultInline.byteLength > 0) fieldOf(json, "completion")["resultInline"] = bytes(resultInline);
      return json;
    }
    case "assign": {
      const inputs = msg.value.inputs.map(withoutBytes);
      const workflowInputs = msg.value.workflowInputs.map(withoutBytes);
      const json = jsonOf({ ...message, msg: { ...msg, value: { ...msg.value, inputs, workflowInputs } } });
      const assign = fieldOf(json, "assign");
      nameBytes(assign["inputs"], msg.value.inputs);
      nameBytes(assign["workflowInputs"], msg.value.workflowInputs);
      return json;
    }
    default:
      return jsonOf(message);
  }
}

function jsonOf(message: Envelope): JsonObject {
  return shorten(toJson(EnvelopeSchema, message)) as JsonObject;
}

function fieldOf(json: JsonObject, name: string): JsonObject {
  return json[name] as JsonObject;
}

/** Base64 of megabytes is made by nobody. */
function withoutBytes(input: InputDescriptor): InputDescriptor {
  return input.inlineBytes.byteLength === 0 ? input : { ...input, inlineBytes: EMPTY };
}

function nameBytes(json: JsonValue | undefined, inputs: readonly InputDescriptor[]): void {
  for (const [index, { inlineBytes }] of inputs.entries()) {
    if (inlineBytes.byteLength === 0) continue;
    ((json as JsonValue[])[index] as JsonObject)["inlineBytes"] = bytes(inlineBytes);
  }
}

function bytes({ byteLength }: Uint8Array): string {
  return `<${byteLength} bytes>`;
}

/** Signatures are in the query strings; a ref that is no URL has none. */
const QUERY = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s"'?#]*)\?[^\s"'#]*/gi;

function shorten(value: JsonValue): JsonValue {
  if (typeof value === "string") return shortenText(value.replace(QUERY, "$1?..."));
  if (Array.isArray(value)) return value.map(shorten);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shorten(field)]));
}

function shortenText(text: string): string {
  return text.length <= LONGEST_TEXT_CHARS
    ? text
    : `${text.slice(0, LONGEST_TEXT_CHARS)}... <${text.length} characters>`;
}
