/**
 * Events of a running process, live over HTTP, one JSON line each.
 *
 *  T1  Only who is on this machine gets any: they show what the process works on.
 *  T2  A reader never slows the process: what it does not take in time is left out, and it is told how many.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

/** Calls `listener` with each event, which JSON can hold, until disposed. */
export type EventTap = (listener: (event: object) => void) => Disposable;

const MOST_WAITING_BYTES = 256 * 1_024;
const MOST_READERS = 8;

/** Serves one source of events to several readers. */
export class Tail {
  readonly #tap: EventTap;
  #readers = 0;

  constructor(tap: EventTap) {
    this.#tap = tap;
  }

  /**
   * Answers `GET /tail` with the events from now on, as NDJSON, until the reader goes. `?contains=TEXT`
   * leaves out events whose JSON has not that text in it. `{"lost":3}` stands for three that were left out.
   */
  serve(request: IncomingMessage, response: ServerResponse): void {
    const refusal = refusalOf(request) ?? (this.#readers < MOST_READERS ? undefined : TOO_MANY);
    if (refusal !== undefined) {
      response.writeHead(refusal.status, { "content-type": "application/json" });
      response.end(`${JSON.stringify({ error: refusal.error })}\n`);
      return;
    }
    response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    response.flushHeaders();
    const wanted = new URL(request.url ?? "/", "http://localhost").searchParams.get("contains") ?? "";
    this.#readers += 1;
    const tapped = this.#tap(writerOf(response, wanted));
    response.once("close", () => {
      tapped[Symbol.dispose]();
      this.#readers -= 1;
    });
  }
}

/** T2 */
function writerOf(response: ServerResponse, wanted: string): (event: object) => void {
  let lost = 0;
  const tellLost = () => {
    if (lost === 0) return;
    response.write(`${JSON.stringify({ lost })}\n`);
    lost = 0;
  };
  response.on("drain", tellLost);
  return (event) => {
    if (response.writableLength > MOST_WAITING_BYTES) {
      lost += 1;
      return;
    }
    const line = JSON.stringify(event);
    if (!line.includes(wanted)) return;
    tellLost();
    response.write(`${line}\n`);
  };
}

interface Refusal {
  readonly status: number;
  readonly error: string;
}

const TOO_MANY: Refusal = {
  status: 503,
  error: `${MOST_READERS} readers are the most, and there are that many; end one of them`,
};

const ELSEWHERE: Refusal = {
  status: 403,
  error: "events are shown to readers on this machine only, at a loopback address; run the reader there",
};

/** T1. A page in a browser here that got another name to mean this address is not on this machine, nor is who comes through a proxy. */
function refusalOf({ socket, headers }: IncomingMessage): Refusal | undefined {
  const isProxied = headers["forwarded"] !== undefined || headers["x-forwarded-for"] !== undefined;
  const isHere = isLoopbackAddress(socket.remoteAddress ?? "") && isLoopbackHost(headers.host ?? "");
  return isHere && !isProxied ? undefined : ELSEWHERE;
}

function isLoopbackAddress(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

function isLoopbackHost(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i.test(host);
}
