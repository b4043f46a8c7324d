import { type Clock, EXIT, type Logger, type Service, StartupError } from "@subnet-worker/kit";
import { type Gate, type GateKeeper, type GateVerdict, StoppedError } from "../ports.ts";

export interface GatesOptions {
  /** Between two looks at a gate that is closed and may open. */
  readonly retryMs: number;
  /** Between two looks at all gates once they have opened. */
  readonly recheckMs: number;
}

export interface GatesDeps {
  /** In the order they are passed; a later one may rely on the earlier. */
  readonly gates: readonly Gate[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the endpoints say of themselves: a gate that is closed for the same reason does not repeat it. */
  readonly endpointReasons?: () => readonly string[];
}

/** A verdict that lets the process start. */
type Passed = Extract<GateVerdict, { kind: "open" | "hold" }>;

interface Closed {
  readonly reason: string;
  readonly isEndpointTrouble?: boolean;
}

/**
 * What must hold before the node claims anything. A gate that only time or
 * somebody else can open is waited for, with its reason in the log and on
 * `/readyz`; one that the configuration must open ends the process at start; one
 * that holds lets what the wallet has go on, and nothing more be claimed.
 * Later nothing ends it: a node that has work under way keeps it, claims no
 * more, and says why. An endpoint behind a load balancer may be wrong for a while.
 */
export class Gates implements Service, GateKeeper {
  readonly name = "gates";
  readonly #options: GatesOptions;
  readonly #deps: GatesDeps;
  #closed: Closed | undefined = { reason: "start-up checks are not done yet" };

  constructor(options: GatesOptions, deps: GatesDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  notReady(): readonly string[] {
    if (this.#closed === undefined) return [];
    const { reason, isEndpointTrouble = false } = this.#closed;
    const isTold = isEndpointTrouble && (this.#deps.endpointReasons?.() ?? []).length > 0;
    return isTold ? [] : [reason];
  }

  /**
   * Resolves when every gate lets the process start, or `signal` aborts.
   *
   * @throws {StartupError} with exit code 78 for a gate that waiting cannot open
   */
  async pass(signal: AbortSignal): Promise<void> {
    if (!(await this.#passAll(signal, "start"))) return;
    this.#deps.logger.info("start-up checks passed");
  }

  /** Looks again from time to time: a worker may be suspended, a contract upgraded. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(this.#options.recheckMs, signal);
      if (signal.aborted) return;
      await this.#passAll(signal, "recheck");
    }
  }

  async #passAll(signal: AbortSignal, when: "start" | "recheck"): Promise<boolean> {
    let held: Closed | undefined;
    for (const gate of this.#deps.gates) {
      const verdict = await this.#waitFor(gate, { signal, when });
      if (verdict === undefined) return false;
      if (verdict.kind === "hold") held ??= verdict;
    }
    this.#closed = held;
    return true;
  }

  /** `undefined` when the process is stopping. */
  async #waitFor(
    gate: Gate,
    { signal, when }: { readonly signal: AbortSignal; readonly when: "start" | "recheck" },
  ): Promise<Passed | undefined> {
    let told: string | undefined;
    while (!signal.aborted) {
      const verdict = await check(gate);
      if (verdict.kind === "open") {
        if (told !== undefined)
          this.#deps.logger.info({ gate: gate.name, was: told }, "a check that failed passes now");
        return verdict;
      }
      if (verdict.kind === "refuse" && when === "start")
        throw new StartupError(EXIT.badConfig, `[${gate.name}] ${verdict.reason}`);
      const isNews = told !== verdict.reason && this.#closed?.reason !== verdict.reason;
      if (isNews) this.#deps.logger.warn({ gate: gate.name }, verdict.reason);
      this.#closed = verdict;
      told = verdict.reason;
      if (verdict.kind === "hold") return verdict;
      await this.#deps.clock.sleep(this.#options.retryMs, signal);
    }
    return undefined;
  }
}

/** A gate that could not be looked at is closed for now: an endpoint's fault passes, and must end nothing. */
async function check(gate: Gate): Promise<GateVerdict> {
  try {
    return await gate.check();
  } catch (error) {
    if (error instanceof StoppedError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: "wait", reason: `${gate.name} could not be checked (${reason}); trying again` };
  }
}
