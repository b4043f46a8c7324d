export { type Devnet, type DevnetDeps, type DevnetOptions, type DevnetPart, startDevnet } from "./compose.ts";
export { DevnetError, type DevnetErrorCode } from "./errors.ts";
export { type InputValue, parseInputs } from "./inputs.ts";
export { DEFAULT_PORTS, type Ports } from "./ports.ts";
export {
  type FinishedRun,
  runWorkflow,
  type RunWorkflowDeps,
  type RunWorkflowOptions,
} from "./run-workflow.ts";
export { type DevnetState, readState } from "./state-file.ts";
