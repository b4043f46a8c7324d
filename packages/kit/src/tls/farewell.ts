// A refusal that any HTTP/2 implementation shows its user: a GOAWAY frame with the
// reason in it. TLS has no alert that says in words what is wrong, and Node sends none.
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";

const CLIENT_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = 4;
const GOAWAY = 7;
/** RFC 9113, section 7: what lies below does not meet minimum security requirements. */
const INADEQUATE_SECURITY = 0xc;
const LONGEST_REASON = 512;
const LINGER_MS = 1_000;

export interface FarewellOptions {
  readonly clock: Clock;
  /** Which side we are: a client's bytes begin with the preface. */
  readonly side: "client" | "server";
}

/** Tells the peer why it is refused, as HTTP/2, and hangs up. Nothing that it sends is read. */
export function sayFarewell(socket: Socket, reason: string, { clock, side }: FarewellOptions): void {
  const debug = Buffer.from(reason).subarray(0, LONGEST_REASON);
  const payload = Buffer.alloc(8 + debug.byteLength);
  payload.writeUInt32BE(INADEQUATE_SECURITY, 4);
  debug.copy(payload, 8);
  const preface = side === "client" ? [CLIENT_PREFACE] : [];
  hangUpAfter(socket, Buffer.concat([...preface, frame(SETTINGS), frame(GOAWAY, payload)]), clock);
}

/** Writes, closes, and lets the peer read: data that nobody takes would turn the close into a reset. */
export function hangUpAfter(socket: Socket, lastWords: Buffer | string, clock: Clock): void {
  socket.on("error", () => undefined); // it is refused; how it takes that does not matter
  socket.resume();
  socket.end(lastWords);
  const timer = clock.timer(LINGER_MS, () => socket.destroy());
  socket.once("close", () => timer[Symbol.dispose]());
}

/** The text of a GOAWAY, fit for a log; `undefined` when it has none. */
export function farewellText(debug: Uint8Array | undefined): string | undefined {
  if (debug === undefined || debug.byteLength === 0) return undefined;
  const text = Buffer.from(debug).toString("utf8").slice(0, LONGEST_REASON);
  return text.replaceAll(/[^\x20-\x7e\u00a0-\u{10ffff}]/gu, "?");
}

function frame(type: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  return Buffer.concat([head, payload]);
}
