import { randomUUID } from "node:crypto";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Clock, EXIT, StartupError } from "@subnet-worker/kit";
import { farewellText } from "@subnet-worker/kit/tls";
import {
  type Capabilities,
  type Completion,
  type Envelope,
  envelope,
  Execution,
  hasAdditions,
  negotiateVersion,
  type Progress,
  PROTOCOL_RANGE,
  type Rejection,
  VersionError,
} from "@subnet-worker/protocol";
import { ownVersion } from "../own-version.ts";
import { explainStream, type WepTarget } from "./send-target.ts";

/** How long a WEP may take to say who it is. */
const HELLO_MS = 10_000;
/** How long one that says what it can run may take to say it. */
const CAPABILITIES_MS = 3_000;

/** An assignment, as far as it is filled in. */
export type AssignInit = Parameters<typeof envelope<"assign">>[1];

/** How a run ended, or why it never began. */
export type Ending =
  | { readonly kind: "completed"; readonly completion: Completion }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

export interface RunListener {
  onProgress(progress: Progress): void;
  /** Answers what the run asks of storage; `undefined`: it asked for nothing. */
  answer(message: Envelope): Promise<Envelope | undefined>;
}

/** A stream to a WEP, as a worker client has one, for one run at a time. */
export class WorkerStream implements AsyncDisposable {
  readonly #target: WepTarget;
  readonly #clock: Clock;
  readonly #outgoing: Envelope[] = [];
  readonly #gone = new AbortController();
  #wake = Promise.withResolvers<void>();
  #isEnded = false;
  #incoming: AsyncIterator<Envelope> | undefined;
  /** What is being read, and nobody has had yet. */
  #pending: Promise<IteratorResult<Envelope>> | undefined;
  #sessions: HeardSessions | undefined;
  #hasAdditions = false;

  private constructor(target: WepTarget, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
  }

  /**
   * Connects and shakes hands.
   *
   * @throws {StartupError} 75 when nobody is there, 78 for what is no WEP or refuses us
   */
  static async open(
    target: WepTarget,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<WorkerStream> {
    const stream = new WorkerStream(target, clock);
    const onAbort = () => stream.#gone.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await stream.#shakeHands();
      return stream;
    } catch (error) {
      await stream[Symbol.asyncDispose]();
      throw error;
    } finally {
      // From here on a run is under way: it is cancelled, and its end waited for.
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** What the WEP says it can run; `undefined` when it says nothing of it, or not in time. */
  async capabilities(): Promise<Capabilities | undefined> {
    if (!this.#hasAdditions) return undefined;
    const late = this.#clock.monotonicMs() + CAPABILITIES_MS;
    for (;;) {
      const message = await this.#within(late - this.#clock.monotonicMs(), "its capabilities");
      if (message === undefined) return undefined;
      if (message.msg.case === "capabilities") return message.msg.value;
    }
  }

  /**
   * Assigns a run and waits for its end. When `signal` aborts, the run is cancelled;
   * its end is waited for all the same.
   *
   * @throws {StartupError} 1 when the stream ends before the run
   */
  async run(assignment: AssignInit, listener: RunListener, signal: AbortSignal): Promise<Ending> {
    const { activityId = "", runId = "" } = assignment;
    const onAbort = () => this.#send(envelope("cancel", { activityId, runId, reason: reasonOf(signal) }));
    this.#send(envelope("assign", assignment));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      for (;;) {
        const message = await this.#next("the end of the run");
        const ending = this.#take(message, listener);
        if (ending !== undefined) return ending;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Says goodbye; what was written is sent first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    this.#wake.resolve();
    // A WEP ends its side when it has nothing more to say; one that does not is left.
    using _ = this.#clock.timer(1_000, () => this.#gone.abort());
    while (!this.#gone.signal.aborted) {
      const next = await (this.#pending ?? this.#incoming?.next())?.catch(() => undefined);
      this.#pending = undefined;
      if (next === undefined || next.done === true) break;
    }
    this.#gone.abort();
  }

  #take(message: Envelope, listener: RunListener): Ending | undefined {
    const { msg } = message;
    switch (msg.case) {
      case "ping":
        this.#send(envelope("pong", { nonce: msg.value.nonce }));
        return undefined;
      case "progress":
        listener.onProgress(msg.value);
        return undefined;
      case "completion": {
        const { activityId, runId } = msg.value;
        if (this.#hasAdditions) this.#send(envelope("completionAck", { activityId, runId }));
        return { kind: "completed", completion: msg.value };
      }
      case "rejection":
        return { kind: "rejected", rejection: msg.value };
      default:
        void this.#reply(message, listener);
        return undefined;
    }
  }

  async #reply(message: Envelope, listener: RunListener): Promise<void> {
    const answer = await listener.answer(message);
    if (answer !== undefined) this.#send(answer);
  }

  async #shakeHands(): Promise<void> {
    const { url, tls } = this.#target;
    const sessionManager = new HeardSessions(url, {}, { ...tls });
    this.#sessions = sessionManager;
    const client = createClient(Execution, createGrpcTransport({ baseUrl: url, sessionManager }));
    this.#send(
      envelope("hello", {
        ...PROTOCOL_RANGE,
        agent: `wep-send/${ownVersion()}`,
        // A node of its own: no run of another is inherited, and no stream of another is doubted.
        nodeId: `send-${randomUUID()}`,
        instanceId: randomUUID(),
        brokersStorage: true,
      }),
    );
    const messages = client.taskStream(this.#requests(), { signal: this.#gone.signal });
    this.#incoming = messages[Symbol.asyncIterator]();
    const message = await this.#within(HELLO_MS, "its hello");
    if (message === undefined) throw silent(this.#target);
    const { msg } = message;
    if (msg.case !== "helloAck")
      throw notAWep(this.#target, `it began with ${msg.case ?? "an unknown message"}`);
    try {
      this.#hasAdditions = hasAdditions(negotiateVersion(PROTOCOL_RANGE, msg.value));
    } catch (error) {
      if (error instanceof VersionError) throw notAWep(this.#target, error.message);
      throw error;
    }
  }

  /** The next message; `undefined` when it does not come in time, and then it is the next one's. */
  async #within(ms: number, what: string): Promise<Envelope | undefined> {
    const late = Promise.withResolvers<undefined>();
    using _ = this.#clock.timer(Math.max(0, ms), () => late.resolve(undefined));
    return await Promise.race([this.#next(what), late.promise]);
  }

  async #next(what: string): Promise<Envelope> {
    this.#pending ??= this.#incoming?.next();
    try {
      const next = await this.#pending;
      this.#pending = undefined;
      if (next !== undefined && next.done !== true) return next.value;
    } catch (error) {
      throw explainStream(error, this.#target, this.#sessions?.farewell);
    }
    throw new StartupError(
      EXIT.fault,
      `[STREAM_ENDED] the WEP at ${this.#target.url} ended the stream before ${what}; it was stopped or restarted, and its log says why`,
    );
  }

  #send(message: Envelope): void {
    this.#outgoing.push(message);
    this.#wake.resolve();
  }

  async *#requests(): AsyncGenerator<Envelope> {
    for (;;) {
      yield* this.#outgoing.splice(0);
      if (this.#isEnded && this.#outgoing.length === 0) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}

/** Hears what a WEP says as it hangs up on a certificate that it does not take. */
class HeardSessions extends Http2SessionManager {
  farewell: string | undefined;

  override async request(...args: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...args);
    const session = stream.session as ClientHttp2Session | undefined;
    session?.on("error", () => undefined); // the stream tells of it
    session?.on("goaway", (code, _lastStream, debug) => {
      if (code === constants.NGHTTP2_INADEQUATE_SECURITY) this.farewell ??= farewellText(debug);
    });
    return stream;
  }
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason === "deadline" ? "deadline" : "requested";
}

function notAWep({ url }: WepTarget, why: string): StartupError {
  return new StartupError(
    EXIT.badConfig,
    `[NOT_A_WEP] what answers at ${url} is no WEP that can be spoken with: ${why}; give the address of a WEP's gRPC server (port 7070 unless set)`,
  );
}

function silent({ url }: WepTarget): StartupError {
  return new StartupError(
    EXIT.tryLater,
    `[NO_ANSWER] ${url} takes connections, but says no hello within ${HELLO_MS} ms; is it a WEP?`,
  );
}
