import type { Clock, Logger } from "@subnet-worker/kit";
import type { InputDescriptor, TaskAssignment } from "@subnet-worker/protocol";
import { checkInputs, checkOutputs, declaredOutputs } from "./contract.ts";
import { withinRun } from "./current-run.ts";
import type { Ask, Grant, OpenUpload } from "./grant.ts";
import type { Handler } from "./handler.ts";
import type { MetricPort } from "./handler-metrics.ts";
import type { InputFile } from "./input-file.ts";
import { decodeInputs } from "./inputs.ts";
import { runThrough } from "./middleware.ts";
import type { ProgressNews } from "./progress.ts";
import { toOutcome } from "./outputs.ts";
import { outcomeOfError } from "./results.ts";
import { ScopedRunContext } from "./run-context.ts";
import type { Outcome } from "./run-state.ts";
import { RunTools } from "./run-tools.ts";
import { ScratchDir } from "./scratch-dir.ts";
import { StopSignal } from "./stop-signal.ts";
import type { TransferSettings } from "./transfer-retry.ts";
import { BrokeredTransfers, returnedBefore, type Transfers } from "./transfers.ts";

/** Where the parts of a run come from that its own thread does not have. */
export interface ScopeSource {
  readonly assignment: TaskAssignment;
  readonly clock: Clock;
  readonly transfer: TransferSettings;
  readonly log: Logger;
  /** When the run is stopped whatever it does, in Unix milliseconds; Infinity: never. */
  readonly endsAtMs: number;
  readonly metrics: MetricPort;
  report(news: ProgressNews): PromiseLike<void>;
  requestGrant(ask: Ask): Promise<Grant>;
  /** Tells the worker client that an upload in parts is given up. */
  abandonUpload(upload: OpenUpload): void;
}

/** What one run has on the thread of its handler. Nothing is made before it is used. */
export class RunScope {
  readonly source: ScopeSource;
  readonly stop: StopSignal = new StopSignal();
  /** What the handler says of having had nothing to do; `undefined`: it has not. */
  skipReason: string | undefined;
  readonly #scratchPath: string | undefined;
  #scratch: ScratchDir | undefined;
  #transfers: Transfers | undefined;
  #tools: RunTools | undefined;
  #isOver = false;

  /** @param scratchPath see {@link ScratchDir} */
  constructor(source: ScopeSource, scratchPath?: string) {
    this.source = source;
    this.#scratchPath = scratchPath;
  }

  scratchDir(): Promise<string> {
    // Nobody would remove it.
    if (this.#isOver && this.#scratch === undefined) return Promise.reject(returnedBefore());
    this.#scratch ??= new ScratchDir(this.#scratchPath);
    return this.#scratch.path();
  }

  /** What the run reads from storage and writes there. */
  get transfers(): Transfers {
    const { source } = this;
    if (this.#transfers !== undefined) return this.#transfers;
    this.#transfers = new BrokeredTransfers({
      clock: source.clock,
      settings: source.transfer,
      log: source.log,
      signal: this.stop.signal,
      requestGrant: (ask) => source.requestGrant(ask),
      abandonUpload: (upload) => source.abandonUpload(upload),
      scratchDir: () => this.scratchDir(),
    });
    if (this.#isOver) this.#transfers.end();
    return this.#transfers;
  }

  /** What the run has written to storage; `undefined`: nothing. */
  get written(): Transfers["written"] | undefined {
    return this.#transfers?.written;
  }

  get tools(): RunTools {
    this.#tools ??= new RunTools(this);
    return this.#tools;
  }

  /** The handler has returned: ends what it has left under way. */
  end(): void {
    this.#isOver = true;
    this.#transfers?.end();
    this.#tools?.end();
  }

  /** Removes what the run has left on disk. */
  async cleanUp(): Promise<void> {
    try {
      await this.#transfers?.cleanUp();
      await this.#scratch?.remove();
    } catch (error) {
      this.source.log.warn({ err: error }, "scratch directory could not be removed; remove it by hand");
    }
  }
}

/**
 * Calls a handler and tells how its run ended; never rejects. The same code in the
 * process and in a thread, so that both tell the same.
 */
export async function callHandler(handler: Handler, scope: RunScope): Promise<Outcome> {
  const { source } = scope;
  const { assignment } = source;
  try {
    scope.stop.throwIfStopped();
    const openFile = (descriptor: InputDescriptor): InputFile => scope.transfers.openInput(descriptor);
    const workflowInput = decodeInputs(assignment.workflowInputs, openFile);
    const declared = declaredOutputs(handler, assignment);
    const context = new ScopedRunContext(scope, workflowInput, declared);
    const inputs = decodeInputs(assignment.inputs, openFile);
    const checked = checkInputs(handler, inputs, assignment.inputs);
    // Awaited only where a schema may be asynchronous: most runs have none.
    const input = checked instanceof Promise ? await checked : checked;
    const returned = await withinRun(context, () => runThrough(handler, input, context));
    const outputs = handler.output === undefined ? returned : await checkOutputs(handler.output, returned);
    const made = toOutcome(outputs, scope, declared);
    const outcome = made instanceof Promise ? await made : made;
    const { skipReason } = scope;
    return skipReason === undefined || outcome.status === "ERROR" ? outcome : { ...outcome, skipReason };
  } catch (error) {
    const outcome = outcomeOfError(error);
    logThrown(error, source.log);
    return outcome;
  } finally {
    scope.end();
  }
}

function logThrown(error: unknown, log: Logger): void {
  try {
    log.debug({ err: error }, "handler threw");
  } catch {
    // What was thrown throws when it is read.
    log.debug("handler threw something that cannot be read");
  }
}
