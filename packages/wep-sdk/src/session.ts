// One stream with one worker client.
//
// 1. A session ends when its transport does, even while a write is stuck: what it
//    holds is released by the transport's signal, not by the writer's turn.
// 2. Runs outlive the session: it only detaches from them.
// 3. Nothing numbered 20 or above is sent to a peer of 1.0.0.
// 4. What waits to be written is bounded: a reader that finds the outbox full stops
//    reading, and HTTP/2 flow control holds the peer.
import { randomInt } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock, Logger } from "@subnet-worker/kit";
import {
  type Cancel,
  type Envelope,
  envelope,
  hasAdditions,
  negotiateVersion,
  TASK_ERROR,
  type TaskAssignment,
  type UploadGrant,
  type Version,
  VersionError,
} from "@subnet-worker/protocol";
import type { CancelReason } from "./errors.ts";
import { GrantDesk } from "./grant-desk.ts";
import type { HandlerRegistry } from "./handler-registry.ts";
import type { Link, Refusal, UploadAsk } from "./link.ts";
import { Outbox } from "./outbox.ts";
import type { RunTable } from "./run-table.ts";
import type { Settings } from "./settings.ts";

export interface SessionDeps {
  readonly runs: RunTable;
  readonly handlers: HandlerRegistry;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  /** This process, for `hello_ack`. */
  readonly identity: { readonly instanceId: string; readonly agent: string };
}

/** What carries a session. */
export interface Transport {
  /** Aborts when the stream is gone, for whatever reason. */
  readonly signal: AbortSignal;
  readonly remoteAddress: string;
  /** Resets the stream; for a peer that does not read. */
  hangUp(): void;
}

/** How long a farewell may take to be written before the stream is reset. */
const FAREWELL_MS = 1_000;

export class Session implements Link {
  readonly #deps: SessionDeps;
  readonly #transport: Transport;
  readonly #outbox: Outbox;
  readonly #grants: GrantDesk;
  readonly #disposables = new DisposableStack();
  readonly #closed = Promise.withResolvers<void>();
  #log: Logger;
  #hasAdditions = false;
  #isOpen = false;
  #isPeerDraining = false;
  #isPeerDone = false;
  #heardAtMs: number;
  #beat: Disposable | undefined;
  #farewell: Disposable | undefined;

  constructor(deps: SessionDeps, transport: Transport) {
    this.#deps = deps;
    this.#transport = transport;
    this.#log = deps.log.child({ peer: transport.remoteAddress });
    this.#outbox = new Outbox(deps.settings.outboxLength);
    this.#grants = new GrantDesk({ clock: deps.clock, timeoutMs: deps.settings.grantTimeoutMs });
    this.#heardAtMs = deps.clock.monotonicMs();
  }

  get hasAdditions(): boolean {
    return this.#hasAdditions;
  }

  /** Resolves when the stream is gone or has said all it had to say. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Whether the handshake is done and the stream still there. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Speaks with the peer until either side ends.
   *
   * @throws {ConnectError} what the peer is told when the stream ends in disorder
   */
  async *serve(requests: AsyncIterable<Envelope>): AsyncGenerator<Envelope> {
    const onGone = () => this.#release("stream closed");
    this.#transport.signal.addEventListener("abort", onGone, { once: true });
    this.#disposables.defer(() => this.#transport.signal.removeEventListener("abort", onGone));
    const reader = requests[Symbol.asyncIterator]();
    try {
      this.#open(await this.#hello(reader));
      void this.#read(reader);
      yield* this.#outbox.drain();
    } finally {
      this.#release("stream ended");
    }
  }

  /** Tells the peer that nothing new is taken here. */
  sendDrain(): void {
    if (this.#isOpen) this.#outbox.push({ envelope: envelope("drain", {}), key: "drain" });
  }

  /** Ends the stream once what waits is written; resets it when the peer does not read. */
  end(failure?: ConnectError): void {
    this.#outbox.end(failure);
    if (this.#disposables.disposed) return;
    this.#farewell ??= this.#deps.clock.timer(FAREWELL_MS, () => this.#transport.hangUp());
  }

  sendAck({ activityId, runId }: TaskAssignment): void {
    this.#outbox.push({ envelope: envelope("ack", { activityId, runId }) });
  }

  sendRefusal({ activityId, runId }: TaskAssignment, { code, reason }: Refusal): void {
    const message = this.#hasAdditions
      ? envelope("rejection", { activityId, runId, errorCode: code, reason })
      : envelope("completion", { activityId, runId, status: "ERROR", error: reason });
    this.#outbox.push({ envelope: message });
  }

  sendProgress(progress: Parameters<Link["sendProgress"]>[0], onWritten: () => void): void {
    const key = JSON.stringify([progress.activityId, progress.runId]);
    this.#outbox.push({ envelope: envelope("progress", progress), key, onWritten });
  }

  sendCompletion(completion: Parameters<Link["sendCompletion"]>[0], onWritten: () => void): void {
    this.#outbox.push({ envelope: envelope("completion", completion), onWritten });
  }

  requestUpload(ask: UploadAsk, signal: AbortSignal): Promise<UploadGrant> {
    const { requestId, grant } = this.#grants.expect(signal);
    this.#outbox.push({ envelope: envelope("uploadRequest", { ...ask, requestId }) });
    return grant;
  }

  async #hello(reader: AsyncIterator<Envelope>): Promise<Version> {
    const { clock, settings } = this.#deps;
    const late = Promise.withResolvers<never>();
    using _ = clock.timer(settings.helloTimeoutMs, () =>
      late.reject(
        new ConnectError(
          `no hello within ${settings.helloTimeoutMs} ms; send it first`,
          Code.DeadlineExceeded,
        ),
      ),
    );
    const first = await Promise.race([reader.next(), late.promise]);
    if (first.done === true)
      throw new ConnectError("the stream ended before hello; send it first", Code.InvalidArgument);
    const { msg } = first.value;
    if (msg.case === "hello") return msg.value;
    const got = msg.case ?? "a message this build does not know";
    throw new ConnectError(`the first message must be hello, not ${got}`, Code.InvalidArgument);
  }

  #open(hello: Version): void {
    const { settings, runs, handlers, identity } = this.#deps;
    const version = this.#negotiate(hello);
    this.#hasAdditions = hasAdditions(version);
    this.#isOpen = true;
    this.#log = this.#log.child({ wcp_instance_id: hello.instanceId || undefined });
    this.#log.info({ protocol: version, agent: hello.agent || undefined }, "worker client connected");
    const kinds = this.#hasAdditions ? handlers.kinds : [];
    this.#outbox.push({
      envelope: envelope("helloAck", { ...settings.protocol, ...(this.#hasAdditions ? identity : {}) }),
    });
    this.#outbox.push({
      envelope: envelope("capabilities", {
        maxConcurrency: settings.maxConcurrency,
        tags: [...settings.tags],
        kinds: [...kinds],
      }),
    });
    this.#sendCapacity();
    if (runs.isDraining) this.sendDrain();
    let announced = runs.freeSlots;
    this.#disposables.use(
      runs.onChange(() => {
        if (announced !== runs.freeSlots) this.#sendCapacity();
        announced = runs.freeSlots;
        this.#endIfDone();
      }),
    );
    if (this.#hasAdditions) this.#beatLater();
  }

  #negotiate(hello: Version): string {
    try {
      return negotiateVersion(this.#deps.settings.protocol, hello);
    } catch (error) {
      if (!(error instanceof VersionError)) throw error;
      this.#log.warn({ agent: hello.agent || undefined, reason: error.message }, "worker client refused");
      throw new ConnectError(
        error.message,
        error.code === "NO_COMMON_VERSION" ? Code.FailedPrecondition : Code.InvalidArgument,
      );
    }
  }

  async #read(reader: AsyncIterator<Envelope>): Promise<void> {
    try {
      for (;;) {
        await this.#outbox.room();
        const next = await reader.next();
        if (next.done === true) break;
        this.#heardAtMs = this.#deps.clock.monotonicMs();
        this.#take(next.value);
      }
      this.#isPeerDone = true;
      this.#endIfDone();
    } catch (error) {
      // Either the stream broke, and its signal says so, or the peer sent what is no message.
      const failure = ConnectError.from(error);
      this.#log.debug({ err: failure }, "reading from the worker client failed");
      this.end(failure);
    }
  }

  #take(message: Envelope): void {
    try {
      this.#receive(message);
    } catch (error) {
      this.#log.error(
        { err: error, message: message.msg.case },
        "message could not be handled; stream ended",
      );
      this.end(new ConnectError("internal error; see the log of the worker", Code.Internal));
    }
  }

  #receive({ msg }: Envelope): void {
    const { runs } = this.#deps;
    switch (msg.case) {
      case "assign":
        return this.#assign(msg.value);
      case "cancel":
        this.#log.info({ activity_id: msg.value.activityId, reason: msg.value.reason }, "cancel received");
        return runs.cancel(msg.value.activityId, reasonOf(msg.value));
      case "completionAck":
        return runs.acknowledge(msg.value);
      case "drain":
        this.#isPeerDraining = true;
        return this.#log.info("worker client drains: it assigns nothing new");
      case "ping":
        return this.#outbox.push({ envelope: envelope("pong", { nonce: msg.value.nonce }) });
      case "uploadGrant":
        return this.#grants.settle(msg.value);
      case "pong":
        return undefined;
      default:
        // Later versions say more; what this build does not know is no error.
        return this.#log.debug({ message: msg.case }, "message ignored");
    }
  }

  #assign(assignment: TaskAssignment): void {
    if (!this.#isPeerDraining) return this.#deps.runs.assign(assignment, this);
    const reason = "[SYSTEM_OVERLOAD] this stream was drained by its worker client; assign on a new one";
    this.sendRefusal(assignment, { code: TASK_ERROR.SYSTEM_OVERLOAD, reason });
  }

  #sendCapacity(): void {
    const availableSlots = this.#deps.runs.freeSlots;
    this.#outbox.push({ envelope: envelope("capacity", { availableSlots }), key: "capacity" });
  }

  /** A peer that has said all it will say gets the completions it waits for, then the end. */
  #endIfDone(): void {
    if (this.#isPeerDone && this.#deps.runs.openRunsOf(this) === 0) this.#outbox.end();
  }

  #beatLater(): void {
    const { clock, settings } = this.#deps;
    this.#beat = clock.timer(settings.pingIntervalMs, () => {
      if (this.#isPeerDone) return;
      const silentMs = clock.monotonicMs() - this.#heardAtMs;
      if (silentMs >= settings.silenceMs) {
        this.#log.warn(
          { silent_ms: Math.round(silentMs) },
          "worker client is silent: stream dropped, its runs go on",
        );
        this.end(new ConnectError(`nothing heard for ${Math.round(silentMs)} ms`, Code.Unavailable));
        return;
      }
      this.#outbox.push({ envelope: envelope("ping", { nonce: BigInt(randomInt(2 ** 47)) }), key: "ping" });
      this.#beatLater();
    });
  }

  #release(why: string): void {
    if (this.#disposables.disposed) return;
    if (this.#isOpen) this.#log.info({ why }, "worker client disconnected");
    this.#isOpen = false;
    this.#disposables.dispose();
    this.#beat?.[Symbol.dispose]();
    this.#farewell?.[Symbol.dispose]();
    this.#outbox.end();
    this.#grants[Symbol.dispose]();
    this.#deps.runs.detach(this);
    this.#closed.resolve();
  }
}

const REASONS: ReadonlySet<string> = new Set<CancelReason>([
  "requested",
  "deadline",
  "lease_lost",
  "drain",
  "superseded",
  "disconnected",
]);

function reasonOf({ reason }: Cancel): CancelReason {
  return REASONS.has(reason) ? (reason as CancelReason) : "requested";
}
