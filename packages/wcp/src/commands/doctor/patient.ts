import type { WorkflowSpec } from "@subnet-worker/activity-spec";
import type { JsonRpc } from "../../adapters/rpc/json-rpc.ts";
import type { Config } from "../../config.ts";
import type { Io } from "../command.ts";
import type { Examination } from "./check.ts";

/** What is examined, and what the checks learn for each other. */
export interface Patient {
  readonly config: Config;
  readonly io: Io;
  readonly signal: AbortSignal;
  readonly exam: Examination;
  /** By index of ethereum.rpc_url. */
  readonly endpoints: readonly JsonRpc[];
  /** Filled in by the checks of the configuration. */
  specs: readonly WorkflowSpec[];
  /** Filled in by the checks of the key; `undefined` while nothing tells it. */
  wallet: string | undefined;
  /** Filled in by the checks of the machine. */
  readonly node: { isRunning: boolean };
}
