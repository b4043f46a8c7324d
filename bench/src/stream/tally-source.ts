import type {
  HeartbeatOutcome,
  Offer,
  OfferSink,
  RecoveredTask,
  RunResult,
  SettleOutcome,
  Standing,
  Task,
  TaskInputs,
  TaskSource,
} from "@subnet-worker/wcp/bench-node";

const LEASE_MS = 60_000;
const INPUTS: TaskInputs = {
  inputs: [{ name: "number", abiType: "uint32", mediaType: "application/json", value: 7 }],
  workflowInputs: [],
};

export const TALLY_QUEUE = "noop/1.0.0/processing";

/** A network that grants everything at once: what is measured is the node. */
export class TallySource implements TaskSource {
  readonly name = "tally";
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  #next = 0;
  #sink: OfferSink | undefined;
  readonly #started = Promise.withResolvers<void>();

  /**
   * Offers a task; resolves when that is stored, with what resolves when its result is settled.
   *
   * @throws when the node passes it over: it would never be done
   */
  async offer(): Promise<{ readonly settled: Promise<void> }> {
    await this.#started.promise;
    const id = `0x${(this.#next += 1).toString(16).padStart(64, "0")}`;
    const done = Promise.withResolvers<void>();
    this.#waiting.set(id, done);
    const offer: Offer = {
      id,
      source: this.name,
      queue: TALLY_QUEUE,
      kind: "noop",
      version: "1.0.0",
      workflowInstanceId: "",
    };
    if ((await this.#sink?.offer(offer)) !== true) {
      this.#waiting.delete(id);
      throw new Error(`the node passed over ${id}: too many tasks wait; offer fewer at a time`);
    }
    return { settled: done.promise };
  }

  notReady(): readonly string[] {
    return [];
  }

  async watch(sink: OfferSink, signal: AbortSignal): Promise<void> {
    this.#sink = sink;
    this.#started.resolve();
    const over = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => over.resolve(), { once: true });
    await over.promise;
  }

  async claim(): Promise<{ readonly kind: "won"; readonly lease: NonNullable<HeldLease> }> {
    return { kind: "won", lease: lease() };
  }

  async inputs(): Promise<TaskInputs> {
    return INPUTS;
  }

  plan(): undefined {
    return undefined;
  }

  encodeResult(_: Task, { json }: RunResult): string {
    if (json !== '{"number":7}') throw new Error(`the handler answered ${json}`);
    return "0x07";
  }

  async heartbeat(): Promise<HeartbeatOutcome> {
    return { kind: "extended", lease: lease() };
  }

  /** Settled is when this is called: the node stores `done` after it. */
  async complete({ id }: Task, _: string, onIncluded?: () => void): Promise<SettleOutcome> {
    onIncluded?.();
    const done = this.#waiting.get(id);
    if (done === undefined) throw new Error(`${id} was settled twice`);
    this.#waiting.delete(id);
    done.resolve();
    return { kind: "settled" };
  }

  fail({ id }: Task, reason: string): Promise<SettleOutcome> {
    return Promise.reject(new Error(`${id} failed: ${reason}`));
  }

  async recover(): Promise<readonly RecoveredTask[]> {
    return [];
  }

  async inspect(ids: readonly string[]): Promise<readonly Standing[]> {
    return ids.map(() => ({ kind: "unknown" }));
  }
}

type HeldLease = Extract<HeartbeatOutcome, { kind: "extended" }>["lease"];

function lease(): HeldLease {
  return { expiresAtMs: Date.now() + LEASE_MS, durationMs: LEASE_MS, token: "1" };
}
