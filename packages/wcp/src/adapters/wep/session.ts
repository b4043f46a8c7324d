/**
 * One connection to a WEP: handshake, then messages both ways until either side ends it.
 *
 * Invariants
 *  S1  Nothing is sent after the handshake failed or the session ended.
 *  S2  Messages that are additions (field 20 and up) are sent only when the negotiated version has them.
 *      Fields that are travel always: hello comes before the version is known, and a peer ignores them.
 *  S3  A peer that has them is known to be alive: silence beyond `silenceMs` ends the session.
 */
import type { ClientHttp2Stream } from "node:http2";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Clock } from "@subnet-worker/kit";
import {
  type Capabilities,
  type Envelope,
  envelope,
  Execution,
  hasAdditions,
  negotiateVersion,
  PROTOCOL_RANGE,
  VersionError,
} from "@subnet-worker/protocol";
import { Outbound } from "./outbound.ts";

export interface SessionOptions {
  readonly url: string;
  /** Identity of this WCP process, told to the peer. */
  readonly instanceId: string;
  readonly agent: string;
  readonly handshakeTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly silenceMs: number;
}

export interface SessionEvents {
  /** The handshake is done and the peer's capabilities are known, or it will never tell them. */
  onReady(peer: PeerInfo): void;
  onCapabilities(capabilities: Capabilities): void;
  onMessage(message: Envelope["msg"]): void;
}

export interface PeerInfo {
  readonly version: string;
  readonly instanceId: string;
  readonly agent: string;
}

/** Why a session ended. `incompatible`: trying again helps only after one side was upgraded. */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
  readonly code: "UNREACHABLE" | "INCOMPATIBLE" | "PROTOCOL" | "SILENT" | "CLOSED";

  constructor(code: SessionEnded["code"], message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }
}

const OUTBOUND_LIMIT = 10_000;

export class Session {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #outbound: Outbound;
  #peer: PeerInfo | undefined;
  #isReady = false;
  #heardAtMs = 0;
  #end: SessionEnded | undefined;

  constructor(options: SessionOptions, deps: { readonly events: SessionEvents; readonly clock: Clock }) {
    this.#options = options;
    this.#events = deps.events;
    this.#clock = deps.clock;
    this.#outbound = new Outbound({
      limit: OUTBOUND_LIMIT,
      onOverflow: () => this.#stop(new SessionEnded("SILENT", "the WEP stopped reading; reconnecting")),
    });
  }

  get hasAdditions(): boolean {
    return this.#peer !== undefined && hasAdditions(this.#peer.version);
  }

  send(message: Envelope): void {
    if (this.#peer !== undefined) this.#outbound.push(message); // S1
  }

  /** Runs the session to its end; always rejects, with {@link SessionEnded}. */
  async run(signal: AbortSignal): Promise<never> {
    const { url, handshakeTimeoutMs } = this.#options;
    const sessions = new ListenedSessions(url);
    const stop = () => this.#stop(new SessionEnded("CLOSED", "closed by us"));
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    using _handshake = this.#clock.timer(handshakeTimeoutMs, () => {
      if (this.#isReady) return;
      this.#stop(new SessionEnded("UNREACHABLE", `no handshake from ${url} within ${handshakeTimeoutMs} ms`));
    });
    try {
      const transport = createGrpcTransport({ baseUrl: url, sessionManager: sessions });
      const client = createClient(Execution, transport);
      this.#heardAtMs = this.#clock.monotonicMs();
      this.#outbound.push(this.#hello());
      for await (const { msg } of client.taskStream(this.#outbound, { signal: this.#abort.signal })) {
        this.#heardAtMs = this.#clock.monotonicMs();
        this.#receive(msg);
      }
      throw new SessionEnded("CLOSED", `${url} ended the stream`);
    } catch (error) {
      throw this.#end ?? toSessionEnded(error, url);
    } finally {
      signal.removeEventListener("abort", stop);
      this.#outbound.close();
      this.#abort.abort();
      sessions.abort();
    }
  }

  #hello(): Envelope {
    const { instanceId, agent } = this.#options;
    return envelope("hello", { ...PROTOCOL_RANGE, instanceId, agent });
  }

  #stop(reason: SessionEnded): void {
    this.#end ??= reason;
    this.#outbound.close();
    this.#abort.abort(reason);
  }

  #receive(msg: Envelope["msg"]): void {
    if (this.#peer === undefined) {
      this.#onHandshake(msg);
      return;
    }
    switch (msg.case) {
      case "capabilities":
        this.#events.onCapabilities(msg.value);
        this.#ready(this.#peer);
        break;
      case "ping":
        this.send(envelope("pong", { nonce: msg.value.nonce }));
        break;
      default:
        this.#events.onMessage(msg);
    }
  }

  #onHandshake(msg: Envelope["msg"]): void {
    if (msg.case !== "helloAck") {
      throw new SessionEnded(
        "PROTOCOL",
        `${this.#options.url} answered hello with ${msg.case ?? "an unknown message"}`,
      );
    }
    const { min, max, instanceId, agent } = msg.value;
    const version = negotiateVersion(PROTOCOL_RANGE, { min, max });
    this.#peer = { version, instanceId, agent };
    // A peer without the additions may never tell what it can do; one with them always does, next.
    if (!hasAdditions(version)) this.#ready(this.#peer);
    else void this.#keepAlive();
  }

  #ready(peer: PeerInfo): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#events.onReady(peer);
  }

  async #keepAlive(): Promise<void> {
    const { pingIntervalMs, silenceMs, url } = this.#options;
    const { signal } = this.#abort;
    for (let nonce = 1n; !signal.aborted; nonce += 1n) {
      await this.#clock.sleep(pingIntervalMs, signal);
      if (this.#clock.monotonicMs() - this.#heardAtMs > silenceMs) {
        this.#stop(new SessionEnded("SILENT", `nothing heard from ${url} for ${silenceMs} ms; reconnecting`)); // S3
      }
      this.send(envelope("ping", { nonce }));
    }
  }
}

/**
 * Hears every session's error. The manager stops listening when it is aborted, and a session that has
 * just broken, because its peer speaks something else, reports its error only after that; an error that
 * nobody hears ends the process. What went wrong has reached us through the stream by then.
 */
class ListenedSessions extends Http2SessionManager {
  override async request(...args: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...args);
    stream.session?.on("error", () => {});
    return stream;
  }
}

function toSessionEnded(error: unknown, url: string): SessionEnded {
  if (error instanceof SessionEnded) return error;
  if (error instanceof VersionError) {
    return new SessionEnded("INCOMPATIBLE", `${url} speaks another protocol version: ${error.message}`, {
      cause: error,
    });
  }
  const { code, rawMessage } = ConnectError.from(error);
  if (code === Code.FailedPrecondition) {
    return new SessionEnded("INCOMPATIBLE", `${url} refused us: ${rawMessage}`, { cause: error });
  }
  if (isHttp2Failure(error)) {
    return new SessionEnded(
      "PROTOCOL",
      `${url} answers, but not as a WEP does, with gRPC over HTTP/2 (${rawMessage}); check that wep_grpc_endpoint is the WEP's own port, not its health port`,
      { cause: error },
    );
  }
  return new SessionEnded("UNREACHABLE", `${url}: ${rawMessage}`, { cause: error });
}

function isHttp2Failure(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === "ERR_HTTP2_ERROR";
}
