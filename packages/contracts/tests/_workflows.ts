import { type StepStatus, type Workflow, workflowEngineReads } from "../src/index.ts";
import { type Chain, type Receipt, SOME_TYPE } from "./_chain.ts";

export interface StepOptions {
  readonly activityType?: string;
  readonly workerClass?: string;
  readonly numWorkers?: number;
  readonly quorum?: number;
  readonly skipOnPrevSuccess?: boolean;
}

/** What tests do with workflows on a chain. */
export interface Workflows {
  register(workflow: string, steps: readonly StepOptions[]): Promise<Receipt>;
  resume(instance: string, from?: string): Promise<Receipt>;
  isResumable(instance: string): Promise<boolean>;
  view(instance: string): Promise<Workflow>;
  activities(instance: string, step: number): Promise<readonly string[]>;
  status(instance: string, step: number): Promise<StepStatus>;
  /** Claims and completes. */
  complete(worker: string, activityId: string, result?: string): Promise<Receipt>;
  /** Claims and fails. */
  fail(worker: string, activityId: string, reason: string): Promise<Receipt>;
}

export function workflowsOf(chain: Chain): Workflows {
  const reads = workflowEngineReads(chain.contracts.workflowEngine);
  const claim = (worker: string, activityId: string) =>
    chain.send(worker, ["taskQueue", "claimActivity", activityId]);
  return {
    register: (workflow, steps) =>
      chain.send(chain.owner, ["workflowEngine", "registerWorkflow", workflow, steps.map(stepDefinition)]),
    resume: (instance, from = chain.accounts[8]!) =>
      chain.send(from, ["workflowEngine", "resumeWorkflow", instance]),
    isResumable: (instance) => chain.read(reads.isResumable(instance)),
    view: (instance) => chain.read(reads.getWorkflow(instance)),
    activities: (instance, step) => chain.read(reads.getStepActivities(instance, step)),
    status: (instance, step) => chain.read(reads.getStepStatus(instance, step)),
    async complete(worker, activityId, result = "0x") {
      await claim(worker, activityId);
      return chain.send(worker, ["taskQueue", "completeActivity", activityId, result]);
    },
    async fail(worker, activityId, reason) {
      await claim(worker, activityId);
      return chain.send(worker, ["taskQueue", "failActivity", activityId, reason]);
    },
  };
}

/** Starts a workflow from account 9. */
export async function startWorkflow(
  chain: Chain,
  workflow: string,
  input = "0x",
): Promise<{ readonly instance: string; readonly receipt: Receipt }> {
  const receipt = await chain.send(chain.accounts[9]!, ["workflowEngine", "startWorkflow", workflow, input]);
  return { instance: String(receipt.events()[0]!.args["instance"]), receipt };
}

function stepDefinition(options: StepOptions): Required<StepOptions> {
  return {
    activityType: SOME_TYPE,
    workerClass: "processing",
    numWorkers: 1,
    quorum: 1,
    skipOnPrevSuccess: false,
    ...options,
  };
}
