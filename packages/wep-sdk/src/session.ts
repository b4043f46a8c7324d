// One stream with one worker client.
//
// 1. A session ends when its transport does, even while a write is stuck: what it
//    holds is released by the transport's signal, not by the writer's turn.
// 2. Runs outlive the session: it only detaches from them.
// 3. Nothing numbered 20 or above is sent to a peer of 1.0.0.
// 4. What waits to be written is bounded: a reader that finds the outbox full stops
//    reading, and HTTP/2 flow control holds the peer.
// 5. Why a stream ended is logged once, when it is over.
// 6. Once a newer stream of its node is there, nothing on this one starts or stops a run
//    before its peer has shown that it still speaks on it.
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock, Logger } from "@subnet-worker/kit";
import {
  type Batch,
  type Cancel,
  type Envelope,
  envelope,
  type TaskAssignment,
} from "@subnet-worker/protocol";
import { capabilitiesOf, capacityOf } from "./announcement.ts";
import { Doubt, newNonce } from "./doubt.ts";
import type { EnvelopeLog } from "./envelope-log.ts";
import { GrantDesk, type Waiting, type WireGrant } from "./grant-desk.ts";
import { meet, NOBODY, type Peer, readHello } from "./handshake.ts";
import type { HandlerRegistry } from "./handler-registry.ts";
import type { Link, NumberedRequest, Refusal } from "./link.ts";
import { Liveness } from "./liveness.ts";
import { Outbox, type Outgoing } from "./outbox.ts";
import { DRAINED_BY_PEER, reasonOf, RunMessages } from "./run-messages.ts";
import type { RunTable } from "./run-table.ts";
import type { Settings } from "./settings.ts";
import { invalid, logEnd, readFailure, reasonOfAbort } from "./stream-failure.ts";

export interface SessionDeps {
  readonly runs: RunTable;
  readonly handlers: HandlerRegistry;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly envelopes: EnvelopeLog;
  /** Told when the handshake is done. */
  readonly onOpen: (session: Session) => void;
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

/** A write that takes so long waited for the peer to read. */
const SLOW_WRITE_MS = 100;

export class Session implements Link {
  readonly #deps: SessionDeps;
  readonly #transport: Transport;
  readonly #outbox: Outbox;
  readonly #grants: GrantDesk;
  readonly #disposables = new DisposableStack();
  readonly #messages: RunMessages;
  readonly #closed = Promise.withResolvers<void>();
  readonly #openedAtMs: number;
  readonly #capacity: Outgoing = { envelope: () => this.#capacityNews(), key: "capacity" };
  #log: Logger;
  #peer: Peer = NOBODY;
  #isOpen = false;
  #isPeerDraining = false;
  #isPeerDone = false;
  /** When the transport was handed what it writes now. */
  #handedAtMs = 0;
  /** The capacity as the peer knows it. */
  #announced: number | string = "";
  #doubt: Doubt | undefined;
  #liveness: Liveness | undefined;
  #farewell: Disposable | undefined;
  /** Why the stream ends, as soon as anything says so. */
  #why: { readonly text: string; readonly isFault: boolean } | undefined;

  constructor(deps: SessionDeps, transport: Transport) {
    const { settings, clock } = deps;
    this.#deps = deps;
    this.#transport = transport;
    this.#log = deps.log.child({ peer: transport.remoteAddress });
    this.#outbox = new Outbox({
      capacity: settings.outboxLength,
      capacityBytes: settings.outboxBytes,
      batchBytes: Math.min(settings.batchBytes, settings.maxMessageBytes),
      onTaken: (message) => {
        this.#handedAtMs = clock.monotonicMs();
        this.#show("out", message);
      },
      onFree: () => {
        // What had to wait and went through was let through by the peer, however slow it is; and while the
        // outbox is full, nothing else is heard of it.
        if (clock.monotonicMs() - this.#handedAtMs >= SLOW_WRITE_MS) this.#liveness?.seen();
      },
    });
    this.#messages = new RunMessages(this.#outbox);
    this.#grants = new GrantDesk({ clock, timeoutMs: settings.grantTimeoutMs });
    this.#openedAtMs = clock.monotonicMs();
  }

  get hasAdditions(): boolean {
    return this.#peer.hasAdditions;
  }

  get brokersStorage(): boolean {
    return this.#peer.brokersStorage;
  }

  get nodeId(): string {
    return this.#peer.nodeId;
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
    const onGone = () => this.#release(reasonOfAbort(this.#transport.signal));
    this.#transport.signal.addEventListener("abort", onGone, { once: true });
    this.#disposables.defer(() => this.#transport.signal.removeEventListener("abort", onGone));
    const reader = requests[Symbol.asyncIterator]();
    try {
      await this.#shakeHands(reader);
      void this.#read(reader);
      yield* this.#outbox.drain();
    } catch (error) {
      this.#why ??= { text: ConnectError.from(error).message, isFault: true };
      throw error;
    } finally {
      this.#release("the stream ended");
    }
  }

  /** Tells the peer that nothing new is taken here. `reason` is for people. */
  sendDrain(reason: string): void {
    if (!this.#isOpen) return;
    this.#outbox.push({ envelope: envelope("drain", this.hasAdditions ? { reason } : {}), key: "drain" });
  }

  /** Another stream of the same node was opened: its peer may have given this one up. Harmless if it has not. */
  doubt(): void {
    if (!this.#isOpen || !this.hasAdditions || this.#doubt !== undefined) return;
    this.#doubt = new Doubt(this.#deps.settings.outboxLength);
    this.#outbox.push({ envelope: envelope("ping", { nonce: this.#doubt.nonce }) });
  }

  /** Ends the stream once what waits is written; resets it when the peer does not read. */
  end(failure?: ConnectError): void {
    this.#why ??=
      failure === undefined
        ? { text: "this process shuts down", isFault: false }
        : { text: failure.message, isFault: true };
    this.#outbox.end(failure);
    if (this.#disposables.disposed) return;
    this.#farewell ??= this.#deps.clock.timer(FAREWELL_MS, () => this.#transport.hangUp());
  }

  sendAck(assignment: TaskAssignment): void {
    this.#messages.ack(assignment, this.hasAdditions);
  }

  sendRefusal(assignment: TaskAssignment, refusal: Refusal): void {
    this.#messages.refusal(assignment, refusal, this.hasAdditions);
  }

  sendProgress(...progress: Parameters<Link["sendProgress"]>): void {
    this.#messages.progress(...progress);
  }

  sendCompletion(...completion: Parameters<Link["sendCompletion"]>): void {
    this.#messages.completion(...completion);
  }

  async request(message: NumberedRequest, waiting: Waiting): Promise<WireGrant> {
    // A handler that asks for thousands at once waits like everybody else.
    await this.#outbox.room();
    const { requestId, grant } = this.#grants.expect(waiting);
    this.#outbox.push({ envelope: message(requestId) });
    return grant;
  }

  tell(message: NumberedRequest): void {
    this.#outbox.push({ envelope: message(this.#grants.nextId()) });
  }

  async #shakeHands(reader: AsyncIterator<Envelope>): Promise<void> {
    const { settings, clock } = this.#deps;
    const hello = await readHello(reader, { clock, timeoutMs: settings.helloTimeoutMs });
    this.#peer = { ...NOBODY, nodeId: hello.nodeId };
    this.#show("in", envelope("hello", hello));
    this.#log = this.#log.child({
      wcp_instance_id: hello.instanceId || undefined,
      node_id: hello.nodeId || undefined,
      agent: hello.agent || undefined,
    });
    this.#peer = meet(hello, settings.protocol);
    this.#open();
  }

  #open(): void {
    const { settings, runs, identity } = this.#deps;
    const { hasAdditions, maxBatch, version } = this.#peer;
    this.#isOpen = true;
    this.#log.info({ protocol: version, max_batch: maxBatch || undefined }, "worker client connected");
    const additions = hasAdditions ? { ...identity, maxBatch: settings.maxBatch } : {};
    this.#outbox.push({
      envelope: envelope("helloAck", { ...settings.protocol, ...additions }),
      isAlone: true,
    });
    this.#outbox.push({ envelope: capabilitiesOf(this.#deps, hasAdditions) });
    if (hasAdditions) {
      this.#outbox.allowBatches(maxBatch);
      this.#outbox.push({ envelope: envelope("inventory", { runs: runs.inventoryOf(this) }) });
      this.#watch();
    }
    this.#outbox.push(this.#capacity);
    if (runs.isDraining) this.sendDrain("this worker shuts down");
    this.#disposables.use(
      runs.onChange(() => {
        if (this.#announced !== runs.capacityMark) this.#outbox.push(this.#capacity);
        this.#endIfDone();
      }),
    );
    this.#deps.onOpen(this);
  }

  async #read(reader: AsyncIterator<Envelope>): Promise<void> {
    try {
      for (;;) {
        if (this.#outbox.isFull) await this.#outbox.room();
        const next = await reader.next();
        if (next.done === true) break;
        this.#liveness?.seen();
        this.#show("in", next.value);
        this.#take(next.value);
        // Else its answers would wait for all that came with it, and acks go out a turn before their completions.
        if (next.value.msg.case === "batch") await this.#outbox.collected();
      }
      this.#isPeerDone = true;
      this.#endIfDone();
    } catch (error) {
      // Either the stream broke, and its signal says so, or the peer sent what is no message.
      this.end(readFailure(error, this.#deps.settings));
    }
  }

  #take(message: Envelope): void {
    try {
      if (message.msg.case === "batch") this.#unpack(message.msg.value);
      else this.#receive(message);
    } catch (error) {
      if (error instanceof ConnectError) return this.end(error);
      this.#log.error({ err: error, message: message.msg.case }, "message could not be handled");
      this.end(new ConnectError("internal error; see the log of the worker", Code.Internal));
    }
  }

  #unpack({ envelopes }: Batch): void {
    const { maxBatch } = this.#deps.settings;
    if (!this.hasAdditions || envelopes.length > maxBatch) {
      const most = this.hasAdditions ? maxBatch : 0;
      throw invalid(
        `a batch of ${envelopes.length} messages; send at most ${most} in one, as hello_ack says`,
      );
    }
    for (const message of envelopes) {
      if (message.msg.case === "batch")
        throw invalid("a batch inside a batch; put its messages into one batch");
      this.#receive(message);
    }
  }

  #receive(message: Envelope): void {
    const { runs } = this.#deps;
    if (this.#doubt !== undefined && Doubt.concerns(message)) return this.#doubt.hold(message);
    const { msg } = message;
    switch (msg.case) {
      case "assign":
        return this.#assign(msg.value);
      case "cancel":
        return this.#cancel(msg.value);
      case "completionAck":
        return runs.acknowledge(msg.value, this);
      case "drain":
        this.#isPeerDraining = true;
        return this.#log.info(
          { reason: msg.value.reason || undefined },
          "worker client drains: it assigns nothing new",
        );
      case "ping":
        return this.#outbox.push({ envelope: envelope("pong", { nonce: msg.value.nonce }) });
      case "pong":
        return this.#onPong(msg.value.nonce);
      default:
        if (this.#grants.take(msg)) return;
        // Later versions say more; what this build does not know is no error.
        return this.#log.debug({ message: msg.case }, "message ignored");
    }
  }

  #onPong(nonce: bigint): void {
    if (this.#doubt?.nonce !== nonce) return;
    const held = this.#doubt.held();
    this.#doubt = undefined;
    for (const message of held) this.#receive(message);
  }

  #assign(assignment: TaskAssignment): void {
    if (!this.#isPeerDraining) return this.#deps.runs.assign(assignment, this);
    this.sendRefusal(assignment, DRAINED_BY_PEER);
  }

  #cancel(cancel: Cancel): void {
    const { activityId, runId, reason } = cancel;
    this.#log.info({ activity_id: activityId, run_id: runId || undefined, reason }, "cancel received");
    this.#deps.runs.cancel({ activityId, runId }, reasonOf(cancel), this);
  }

  /** Asked when it is written: what changed and changed back is not news. */
  #capacityNews(): Envelope | undefined {
    const { runs } = this.#deps;
    const mark = runs.capacityMark;
    if (this.#announced === mark) return undefined;
    this.#announced = mark;
    return capacityOf(runs, this.hasAdditions);
  }

  /** A peer that has said all it will say gets the completions it waits for, then the end. */
  #endIfDone(): void {
    if (!this.#isPeerDone || this.#deps.runs.openRunsOf(this) > 0) return;
    this.#why ??= { text: "the worker client had nothing more to say", isFault: false };
    this.#outbox.end();
  }

  #watch(): void {
    const { clock, settings } = this.#deps;
    this.#liveness = new Liveness(settings, {
      clock,
      ping: () => {
        if (this.#isPeerDone) this.#liveness?.seen();
        else this.#sendPing();
      },
      onSilent: (silentMs) =>
        this.end(
          new ConnectError(`the worker client is silent: nothing heard for ${silentMs} ms`, Code.Unavailable),
        ),
    });
    this.#disposables.use(this.#liveness);
  }

  #sendPing(): void {
    this.#outbox.push({ envelope: envelope("ping", { nonce: newNonce() }), key: "ping" });
  }

  #show(direction: "in" | "out", message: Envelope): void {
    const { envelopes } = this.#deps;
    if (!envelopes.isActive) return;
    envelopes.show(direction, { peer: this.#transport.remoteAddress, nodeId: this.#peer.nodeId }, message);
  }

  #release(why: string): void {
    if (this.#disposables.disposed) return;
    this.#logEnd(why);
    this.#isOpen = false;
    this.#disposables.dispose();
    this.#farewell?.[Symbol.dispose]();
    this.#outbox.end();
    this.#grants[Symbol.dispose]();
    this.#deps.runs.detach(this);
    this.#closed.resolve();
  }

  #logEnd(fallback: string): void {
    const { text, isFault } = this.#why ?? { text: fallback, isFault: true };
    logEnd(this.#log, {
      why: text,
      isFault,
      wasOpen: this.#isOpen,
      openRuns: this.#deps.runs.openRunsOf(this),
      lastedMs: this.#deps.clock.monotonicMs() - this.#openedAtMs,
    });
  }
}
