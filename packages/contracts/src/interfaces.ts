import { Interface } from "ethers";
import { batchExecutorAbi } from "./gen/batch-executor.ts";
import { multicall3Abi } from "./gen/multicall3.ts";
import { subnetControlPlaneAbi } from "./gen/subnet-control-plane.ts";
import { taskQueueAbi } from "./gen/task-queue.ts";
import { workflowEngineAbi } from "./gen/workflow-engine.ts";

/** Encodes and decodes everything of the TaskQueue. */
export const taskQueueInterface: Interface = new Interface(taskQueueAbi);
/** Encodes and decodes everything of the WorkflowEngine. */
export const workflowEngineInterface: Interface = new Interface(workflowEngineAbi);
/** Encodes and decodes everything of the SubnetControlPlane. */
export const subnetControlPlaneInterface: Interface = new Interface(subnetControlPlaneAbi);
/** Encodes and decodes everything of Multicall3. */
export const multicall3Interface: Interface = new Interface(multicall3Abi);
/** Encodes and decodes everything of the BatchExecutor. */
export const batchExecutorInterface: Interface = new Interface(batchExecutorAbi);

/** Where Multicall3 is on nearly every EVM chain. */
export const MULTICALL3_ADDRESS = "0xcA11bde05977b3631167028862bE2a173976CA11";
