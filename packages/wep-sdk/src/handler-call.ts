import type { Clock, Logger } from "@subnet-worker/kit";
import type { InputDescriptor, TaskAssignment, UploadGrant } from "@subnet-worker/protocol";
import { checkInputs, checkOutputs } from "./contract.ts";
import { withinRun } from "./current-run.ts";
import { openInputFile } from "./download.ts";
import type { UploadWish } from "./grant-request.ts";
import type { Handler } from "./handler.ts";
import type { InputFile } from "./input-file.ts";
import { decodeInputs } from "./inputs.ts";
import { runThrough } from "./middleware.ts";
import type { ProgressNews } from "./progress.ts";
import { encodeOutputs, outcomeOfError } from "./results.ts";
import { ScopedRunContext } from "./run-context.ts";
import type { Outcome } from "./run-state.ts";
import { ScratchDir } from "./scratch-dir.ts";
import { StopSignal } from "./stop-signal.ts";
import type { TransferSettings } from "./transfer-retry.ts";

/** Where the parts of a run come from that its own thread does not have. */
export interface ScopeSource {
  readonly assignment: TaskAssignment;
  readonly clock: Clock;
  readonly transfer: TransferSettings;
  readonly log: Logger;
  report(news: ProgressNews): PromiseLike<void>;
  requestGrant(wish: UploadWish): Promise<UploadGrant>;
}

/** What one run has on the thread of its handler. Nothing is made before it is used. */
export class RunScope {
  readonly source: ScopeSource;
  readonly stop: StopSignal = new StopSignal();
  readonly #scratchPath: string | undefined;
  #scratch: ScratchDir | undefined;

  /** @param scratchPath see {@link ScratchDir} */
  constructor(source: ScopeSource, scratchPath?: string) {
    this.source = source;
    this.#scratchPath = scratchPath;
  }

  scratchDir(): Promise<string> {
    this.#scratch ??= new ScratchDir(this.#scratchPath);
    return this.#scratch.path();
  }

  /** Removes the scratch directory, if there is one. */
  async cleanUp(): Promise<void> {
    try {
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
  const { assignment, clock, transfer } = source;
  try {
    scope.stop.throwIfStopped();
    const openFile = (descriptor: InputDescriptor): InputFile =>
      openInputFile(descriptor, { clock, signal: scope.stop.signal, settings: transfer });
    const workflowInput = decodeInputs(assignment.workflowInputs, openFile);
    const context = new ScopedRunContext(scope, workflowInput);
    const inputs = decodeInputs(assignment.inputs, openFile);
    const checked = checkInputs(handler, inputs, assignment.inputs);
    // Awaited only where a schema may be asynchronous: most runs have none.
    const input = checked instanceof Promise ? await checked : checked;
    const outputs = await checkOutputs(
      handler,
      await withinRun(context, () => runThrough(handler, input, context)),
    );
    return { status: "SUCCESS", result: encodeOutputs(outputs) };
  } catch (error) {
    source.log.debug({ err: error }, "handler threw");
    return outcomeOfError(error);
  }
}
