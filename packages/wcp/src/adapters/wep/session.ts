/**
 * One connection to a WEP: handshake, then messages both ways until either side ends it.
 *
 * Invariants
 *  S1  Nothing is sent after the handshake failed or the session ended.
 *  S2  Messages that are additions (field 20 and up) are sent only when the negotiated version has them.
 *      Fields that are travel always: hello comes before the version is known, and a peer ignores them.
 *  S3  A peer that has them is known to be alive: silence beyond `silenceMs` ends the session. One that has
 *      not is asked below, by HTTP/2, and given longer while it works, since a handler may keep it busy.
 *  S4  A session is ready when it is known what runs there: after the inventory, where one follows.
 */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Clock, Logger } from "@subnet-worker/kit";
import {
  type Capabilities,
  type Envelope,
  envelope,
  Execution,
  hasAdditions,
  type Inventory,
  negotiateVersion,
  PROTOCOL_RANGE,
  VersionError,
} from "@subnet-worker/protocol";
import {
  type Connect,
  type Connection,
  connectPlain,
  type ConnectTarget,
  type ListenedSessions,
} from "./connection.ts";
import { Liveness } from "./liveness.ts";
import { Outbound } from "./outbound.ts";
import { traceEnvelope } from "./trace.ts";

export interface SessionOptions extends ConnectTarget {
  /** Identity of this WCP process, told to the peer. */
  readonly instanceId: string;
  readonly agent: string;
  /** Names the node over restarts. Default: none, and what runs there belongs to this stream alone. */
  readonly nodeId?: string | undefined;
  /** Most messages taken in one batch. Default 0: none. */
  readonly maxBatch?: number | undefined;
  /** Requests for objects are answered. Default no. */
  readonly brokersStorage?: boolean | undefined;
  readonly handshakeTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly silenceMs: number;
}

export interface SessionEvents {
  /**
   * The handshake is done and the peer's capabilities are known, or it will never tell them.
   * `inventory`: what it has of this node's; `undefined` from a peer that does not say.
   */
  onReady(peer: PeerInfo, inventory: Inventory | undefined): void;
  onCapabilities(capabilities: Capabilities): void;
  onMessage(message: Envelope["msg"]): void;
}

export interface SessionDeps {
  readonly events: SessionEvents;
  readonly clock: Clock;
  /** Each envelope is told to it at level trace. */
  readonly logger?: Logger;
  /** Default: plain text. */
  readonly connect?: Connect | undefined;
  /** Whether the peer has work of ours. Default: no. */
  readonly isBusy?: () => boolean;
}

export interface PeerInfo {
  readonly version: string;
  readonly instanceId: string;
  readonly agent: string;
}

/** Why a session ended. `REFUSED`: one side does not trust the other, or may not dial it. `INCOMPATIBLE`: trying again helps only after one side was upgraded. */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
  readonly code: "UNREACHABLE" | "REFUSED" | "INCOMPATIBLE" | "PROTOCOL" | "SILENT" | "CLOSED";

  constructor(code: SessionEnded["code"], message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }
}

const OUTBOUND_LIMIT = 10_000;
const FAREWELL_MS = 1_000;
/** How much longer a busy peer without pings is given: its HTTP/2 may share a thread with its handler. */
const PATIENCE_WITH_BUSY = 10;

export class Session {
  readonly #options: SessionOptions;
  readonly #deps: SessionDeps;
  readonly #abort = new AbortController();
  readonly #outbound: Outbound;
  readonly #liveness: Liveness;
  #sessions: ListenedSessions | undefined;
  #peer: PeerInfo | undefined;
  #hasAdditions = false;
  #awaitsInventory = false;
  #isReady = false;
  #end: SessionEnded | undefined;
  #farewell: Disposable | undefined;

  constructor(options: SessionOptions, deps: SessionDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#outbound = new Outbound({
      limit: OUTBOUND_LIMIT,
      onOverflow: () => this.#stop(new SessionEnded("SILENT", "the WEP stopped reading; reconnecting")),
    });
    this.#liveness = new Liveness(options, {
      clock: deps.clock,
      ask: (nonce) => this.#ask(nonce),
      patience: () => (!this.#hasAdditions && deps.isBusy?.() === true ? PATIENCE_WITH_BUSY : 1),
      onSilent: () => {
        const { url, silenceMs } = options;
        this.#stop(new SessionEnded("SILENT", `nothing heard from ${url} for ${silenceMs} ms; reconnecting`));
      },
    });
  }

  get hasAdditions(): boolean {
    return this.#hasAdditions;
  }

  /** Of the last ping; `undefined` before any, and of a peer that knows no ping. */
  get roundTripMs(): number | undefined {
    return this.#hasAdditions ? this.#liveness.roundTripMs : undefined;
  }

  /** `sizeBytes`: at least what the message takes; needed for what may be large. */
  send(message: Envelope, sizeBytes?: number): void {
    if (this.#peer === undefined || this.#end !== undefined) return; // S1
    this.#push(message, sizeBytes);
  }

  /** The round trip of a ping, in milliseconds. Rejects when there is no answer. */
  ping(): Promise<number> {
    if (this.#hasAdditions) return this.#liveness.ask();
    return Promise.reject(new Error(`it speaks protocol ${this.#peer?.version ?? "?"}, which has no ping`));
  }

  /** Ends it when what waits is written, and the peer has ended too or had time to. */
  finish(): void {
    this.#end ??= new SessionEnded("CLOSED", "closed by us");
    this.#outbound.close();
    this.#farewell ??= this.#deps.clock.timer(FAREWELL_MS, () => this.#abort.abort());
  }

  /** Ends it from our side. */
  close(): void {
    this.#stop(new SessionEnded("CLOSED", "closed by us"));
  }

  /** Runs the session to its end; always rejects, with {@link SessionEnded}. */
  async run(signal: AbortSignal): Promise<never> {
    const { url, handshakeTimeoutMs } = this.#options;
    const connection = (this.#deps.connect ?? connectPlain)(this.#options);
    const { transport, sessions } = connection;
    this.#sessions = sessions;
    sessions.onBytes = () => this.#liveness.heard();
    const stop = () => this.close();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    using _handshake = this.#deps.clock.timer(handshakeTimeoutMs, () => {
      if (this.#isReady) return;
      const missing = this.#missing();
      this.#stop(
        new SessionEnded("UNREACHABLE", `no handshake from ${url} within ${handshakeTimeoutMs} ms${missing}`),
      );
    });
    try {
      const client = createClient(Execution, transport);
      this.#push(this.#hello());
      for await (const message of client.taskStream(this.#outbound, { signal: this.#abort.signal })) {
        this.#receive(message);
      }
      throw new SessionEnded("CLOSED", `${url} ended the stream`);
    } catch (error) {
      throw this.#end ?? refusedBelow(connection, url) ?? toSessionEnded(error, url);
    } finally {
      signal.removeEventListener("abort", stop);
      this.#liveness[Symbol.dispose]();
      this.#farewell?.[Symbol.dispose]();
      this.#outbound.close();
      this.#abort.abort();
      sessions.abort();
    }
  }

  /** How far the handshake came. */
  #missing(): string {
    if (this.#peer === undefined) return "";
    return `: it answered, but its ${this.#awaitsInventory ? "inventory" : "capabilities"} did not come`;
  }

  #hello(): Envelope {
    const { instanceId, agent, nodeId = "", maxBatch = 0, brokersStorage = false } = this.#options;
    return envelope("hello", { ...PROTOCOL_RANGE, instanceId, agent, nodeId, maxBatch, brokersStorage });
  }

  #push(message: Envelope, sizeBytes?: number): void {
    if (this.#deps.logger !== undefined) traceEnvelope(this.#deps.logger, "sent", message);
    this.#outbound.push(message, sizeBytes);
  }

  #stop(reason: SessionEnded): void {
    this.#end ??= reason;
    this.#outbound.close();
    this.#abort.abort(reason);
  }

  #receive(message: Envelope): void {
    if (this.#deps.logger !== undefined) traceEnvelope(this.#deps.logger, "received", message);
    const { msg } = message;
    if (this.#peer === undefined) {
      this.#onHandshake(msg);
      return;
    }
    if (msg.case !== "batch") {
      this.#take(msg, this.#peer);
      return;
    }
    for (const each of msg.value.envelopes) {
      if (each.msg.case !== "batch") this.#take(each.msg, this.#peer);
    }
  }

  #take(msg: Envelope["msg"], peer: PeerInfo): void {
    switch (msg.case) {
      case "capabilities":
        this.#deps.events.onCapabilities(msg.value);
        this.#awaitsInventory = msg.value.inventoryFollows && this.#hasAdditions;
        if (!this.#awaitsInventory) this.#ready(peer, undefined);
        break;
      case "inventory":
        if (this.#awaitsInventory) this.#ready(peer, msg.value); // S4
        break;
      case "ping":
        if (this.#hasAdditions) this.send(envelope("pong", { nonce: msg.value.nonce }));
        break;
      case "pong":
        this.#liveness.answered(msg.value.nonce);
        break;
      default:
        this.#deps.events.onMessage(msg);
    }
  }

  #onHandshake(msg: Envelope["msg"]): void {
    if (msg.case !== "helloAck") {
      throw new SessionEnded(
        "PROTOCOL",
        `${this.#options.url} answered hello with ${msg.case ?? "an unknown message"}`,
      );
    }
    const { min, max, instanceId, agent, maxBatch } = msg.value;
    const version = negotiateVersion(PROTOCOL_RANGE, { min, max });
    this.#peer = { version, instanceId, agent };
    this.#hasAdditions = hasAdditions(version);
    if (this.#hasAdditions) this.#outbound.maxBatch = maxBatch; // S2
    this.#liveness.start();
    // A peer without the additions may never tell what it can do; one with them always does, next.
    if (!this.#hasAdditions) this.#ready(this.#peer, undefined);
  }

  #ready(peer: PeerInfo, inventory: Inventory | undefined): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#deps.events.onReady(peer, inventory);
  }

  #ask(nonce: bigint): void {
    if (this.#hasAdditions) {
      this.send(envelope("ping", { nonce }));
      return;
    }
    this.#sessions?.probe(() => {
      this.#liveness.heard();
      this.#liveness.answered(nonce);
    });
  }
}

/** What the connection itself knows of its end: TLS, certificates, a farewell. */
function refusedBelow({ reason }: Connection, url: string): SessionEnded | undefined {
  const words = reason?.();
  return words === undefined ? undefined : new SessionEnded("REFUSED", `${url}: ${words}`);
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
  // What Node makes of a peer that hangs up without a word of HTTP/2, as TLS servers do on plain text.
  const hint =
    url.startsWith("http:") && rawMessage.includes("CANCEL (0x8)")
      ? "; if every try ends so, the WEP may speak TLS: write https://"
      : "";
  return new SessionEnded("UNREACHABLE", `${url}: ${rawMessage}${hint}`, { cause: error });
}

function isHttp2Failure(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === "ERR_HTTP2_ERROR";
}
