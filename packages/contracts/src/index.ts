export { ContractsError, type ContractsErrorCode } from "./contracts-error.ts";
export { delegateOf } from "./delegation.ts";
export { batchExecutorAbi } from "./gen/batch-executor.ts";
export { multicall3Abi } from "./gen/multicall3.ts";
export { subnetControlPlaneAbi } from "./gen/subnet-control-plane.ts";
export { taskQueueAbi } from "./gen/task-queue.ts";
export { workflowEngineAbi } from "./gen/workflow-engine.ts";
export {
  batchExecutorInterface,
  MULTICALL3_ADDRESS,
  multicall3Interface,
  subnetControlPlaneInterface,
  taskQueueInterface,
  workflowEngineInterface,
} from "./interfaces.ts";
export { activityTypeAddress, queueNameOf, queueTopic } from "./names.ts";
export {
  type BatchAnswer,
  batchReads,
  type ContractRead,
  type SubnetControlPlaneReads,
  subnetControlPlaneReads,
  type TaskQueueReads,
  taskQueueReads,
  type WorkflowEngineReads,
  workflowEngineReads,
} from "./reads.ts";
export {
  type Activity,
  decodeActivity,
  decodeStepStatus,
  decodeWorker,
  decodeWorkflow,
  type StepStatus,
  type Worker,
  type Workflow,
  type WorkflowStatus,
} from "./records.ts";
export { type ContractRevert, decodeContractError } from "./revert.ts";
