import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { encodeParams, parseSpec } from "@subnet-worker/activity-spec";
import { activityTypeAddress, workflowEngineInterface } from "@subnet-worker/contracts";
import { startAnvil } from "@subnet-worker/contracts/anvil";
import { deployContracts } from "@subnet-worker/contracts/deploy";
import { AnvilRemote, type ChainEvent } from "./_anvil.ts";
import { until } from "./_until.ts";
import type { ChainFacts } from "./_wcp.ts";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

export const ECHO_HANDLERS: string = fixture("echo-handlers.ts");
export const ECHO_SPEC_PATH: string = fixture("echo.yaml");
const ECHO_SPEC = parseSpec(readFileSync(ECHO_SPEC_PATH, "utf8"), { fileName: ECHO_SPEC_PATH });
export const ECHO_QUEUE = "echo/1.0.0/processing";

/** A chain with the contracts and the workflow `echo/1.0.0`, and nobody who works there. */
export interface BareChain extends AsyncDisposable {
  readonly facts: ChainFacts;
  readonly anvil: AnvilRemote;
  /** Starts the workflow; returns its instance. */
  startEcho(text: string): Promise<string>;
  /** The activity of its only step. */
  activityOf(instance: string): Promise<string>;
  /** How often an event happened to an instance or one of its activities. */
  count(name: string, instance: string): Promise<number>;
  /** How often it happened on this chain at all. */
  total(name: string): Promise<number>;
  untilCompleted(instance: string): Promise<void>;
}

export async function startBareChain(): Promise<BareChain> {
  await using stack = new AsyncDisposableStack();
  const process = stack.use(await startAnvil());
  const { taskQueue, workflowEngine, subnetControlPlane, multicall3, batchExecutor } = await deployContracts(
    {},
    { rpcUrl: process.url },
  );
  const facts: ChainFacts = {
    rpcUrl: process.url,
    wsUrl: process.wsUrl,
    chainId: 31_337,
    taskQueue,
    workflowEngine,
    subnetControlPlane,
    multicall3,
    batchExecutor,
  };
  const anvil = new AnvilRemote(process.url);
  const [, requester] = (await anvil.rpc("eth_accounts")) as readonly string[];
  const send = (name: string, args: readonly unknown[]) =>
    anvil.send({
      from: requester ?? "",
      to: workflowEngine,
      data: workflowEngineInterface.encodeFunctionData(name, args),
    });
  const steps = ECHO_SPEC.activities.map((step) => {
    const type = activityTypeAddress(ECHO_SPEC.workflow, step.id);
    return [type, step.workerClass, step.numWorkers, step.quorum, step.skipOnPrevSuccess];
  });
  await send("registerWorkflow", [ECHO_SPEC.workflow, steps]);

  const events = () => anvil.events({ taskQueue, workflowEngine });
  const count = async (name: string, instance: string) => countIn(await events(), name, instance);
  const owned = stack.move();
  return {
    facts,
    anvil,
    count,
    activityOf: async (instance) => activitiesOf(await events(), instance)[0] ?? "",
    total: async (wanted) => (await events()).filter(({ name }) => name === wanted).length,
    async startEcho(text) {
      const input = encodeParams(ECHO_SPEC.activities[0]?.inputs ?? [], { text });
      const logs = await send("startWorkflow", [ECHO_SPEC.workflow, input]);
      const started = logs.find(({ name }) => name === "WorkflowStarted");
      return String(started?.args["instance"]);
    },
    async untilCompleted(instance) {
      await until("the workflow to complete", async () => (await count("WorkflowCompleted", instance)) === 1);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function activitiesOf(events: readonly ChainEvent[], instance: string): readonly string[] {
  return events
    .filter((event) => event.name === "StepEnqueued" && event.args["instance"] === instance)
    .flatMap(({ args }) => [...(args["activityIds"] as Iterable<string>)]);
}

function countIn(events: readonly ChainEvent[], name: string, instance: string): number {
  const activityIds = activitiesOf(events, instance);
  return events.filter(
    ({ name: its, args }) =>
      its === name && (args["instance"] === instance || activityIds.includes(String(args["activityId"]))),
  ).length;
}
