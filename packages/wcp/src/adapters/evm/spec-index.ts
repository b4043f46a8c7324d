import type { ActivitySpec, WorkflowSpec } from "@subnet-worker/activity-spec";
import { activityTypeAddress } from "@subnet-worker/contracts";
import type { AssignedOutput, RunPlan } from "../../ports.ts";
import { mediaTypeOf } from "./task-inputs.ts";

export interface IndexedActivity {
  readonly spec: ActivitySpec;
  /** Parameters of the workflow's own input: those of its first activity. */
  readonly workflowInputs: ActivitySpec["inputs"];
  /** Tags that its executor must have. */
  readonly needs: readonly string[];
  readonly plan: RunPlan;
}

const GPU = ["gpu"];
const NOTHING: readonly string[] = [];

/** Finds the spec of an activity on chain. */
export class SpecIndex {
  readonly #byType = new Map<string, IndexedActivity>();
  readonly #byQueue = new Map<string, IndexedActivity[]>();
  readonly #byKind = new Map<string, IndexedActivity>();

  constructor(workflows: readonly WorkflowSpec[]) {
    for (const { workflow, activities } of workflows) {
      for (const spec of activities) {
        const needs = spec.requireGpu || spec.resourceClass === "gpu" ? GPU : NOTHING;
        const indexed = { spec, workflowInputs: activities[0]?.inputs ?? [], needs, plan: planOf(spec) };
        this.#byType.set(activityTypeAddress(workflow, spec.id).toLowerCase(), indexed);
        this.#byQueue.set(spec.queue, [...(this.#byQueue.get(spec.queue) ?? []), indexed]);
        this.#byKind.set(`${spec.queue} ${spec.kind} ${spec.version}`, indexed);
      }
    }
  }

  /** By the address that stands for its type, or by its queue where the queue has one kind of activity only. */
  find(queue: string, activityType: string): IndexedActivity | undefined {
    const byType = this.#byType.get(activityType.toLowerCase());
    if (byType !== undefined) return byType;
    const inQueue = this.#byQueue.get(queue) ?? [];
    return inQueue.length === 1 ? inQueue[0] : undefined;
  }

  ofTask(task: { readonly queue: string; readonly kind: string; readonly version: string }): IndexedActivity {
    const indexed = this.#byKind.get(`${task.queue} ${task.kind} ${task.version}`);
    if (indexed === undefined) {
      throw new Error(
        `no spec for ${task.kind} ${task.version} in queue ${task.queue}; put its file back into specs.files`,
      );
    }
    return indexed;
  }
}

function planOf({ outputs, limits, result, retry }: ActivitySpec): RunPlan {
  return {
    outputs: outputs.map((output): AssignedOutput => {
      const { name, type: abiType, isObjectKey, maxBytes } = output;
      const limit = maxBytes === undefined ? {} : { maxBytes };
      return { name, abiType, mediaType: mediaTypeOf(output), isObjectKey, ...limit };
    }),
    timeoutMs: limits.timeoutMs,
    memoryMb: limits.memoryMb,
    isResultByReference: result === "reference",
    retry,
  };
}
