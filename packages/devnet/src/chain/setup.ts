import type { WorkflowSpec } from "@subnet-worker/activity-spec";
import {
  activityTypeAddress,
  subnetControlPlaneInterface,
  workflowEngineInterface,
} from "@subnet-worker/contracts";
import { type DeployedContracts, deployContracts } from "@subnet-worker/contracts/deploy";
import { type JsonRpcProvider, parseEther, toQuantity, Wallet } from "ethers";
import { MAX_INFLIGHT } from "../node/config-files.ts";
import { openProvider } from "./client.ts";

export interface ChainSetupOptions {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly workflows: readonly WorkflowSpec[];
}

export interface ChainSetup {
  readonly contracts: DeployedContracts;
  /** Anvil's second account: anvil signs for it. */
  readonly requester: string;
  /** The WCP's wallet, funded and registered as a worker. Made for this chain only. */
  readonly worker: { readonly address: string; readonly privateKey: string };
}

/** Short, so that a killed node's activity is soon free for another; long enough for a slow restart. */
const LEASE_DURATION_S = 60;

const WORKER_BALANCE_WEI = parseEther("1000");

/** Prepares a fresh anvil: contracts, one worker, and the workflows. */
export async function setUpChain(options: ChainSetupOptions): Promise<ChainSetup> {
  const provider = openProvider(options.rpcUrl, options.chainId);
  try {
    const contracts = await deployContracts({ leaseDurationS: LEASE_DURATION_S }, { rpcUrl: options.rpcUrl });
    const worker = new Wallet(Wallet.createRandom().privateKey, provider);
    const requester = await provider.getSigner(1);
    await Promise.all([registerWorker(worker, contracts, provider), registerWorkflows()]);
    return {
      contracts,
      requester: await requester.getAddress(),
      worker: { address: worker.address, privateKey: worker.privateKey },
    };

    async function registerWorkflows(): Promise<void> {
      for (const spec of options.workflows) {
        const sent = await requester.sendTransaction({
          to: contracts.workflowEngine,
          data: workflowEngineInterface.encodeFunctionData("registerWorkflow", [
            spec.workflow,
            spec.activities.map((step) => stepOf(spec, step)),
          ]),
        });
        await sent.wait();
      }
    }
  } finally {
    provider.destroy();
  }
}

async function registerWorker(
  worker: Wallet,
  contracts: DeployedContracts,
  provider: JsonRpcProvider,
): Promise<void> {
  await provider.send("anvil_setBalance", [worker.address, toQuantity(WORKER_BALANCE_WEI)]);
  const sent = await worker.sendTransaction({
    to: contracts.subnetControlPlane,
    data: subnetControlPlaneInterface.encodeFunctionData("registerWorker", [MAX_INFLIGHT]),
  });
  await sent.wait();
}

function stepOf(spec: WorkflowSpec, activity: WorkflowSpec["activities"][number]): readonly unknown[] {
  const { id, workerClass, numWorkers, quorum, skipOnPrevSuccess } = activity;
  return [activityTypeAddress(spec.workflow, id), workerClass, numWorkers, quorum, skipOnPrevSuccess];
}
