import { type Activity, taskQueueReads } from "@subnet-worker/contracts";
import { CallReverted } from "../chain-ports.ts";
import type { Config } from "../config.ts";
import type { Invocation } from "./command.ts";
import { directChain, directEndpoints } from "./direct-rpc.ts";
import { reachable } from "./send-once.ts";

/**
 * An activity as the chain has it; `undefined` when it has never heard of it.
 *
 * @throws {StartupError} exit code 75 when no endpoint answers
 */
export async function readActivity(
  id: string,
  { io, signal }: Invocation,
  config: Config,
): Promise<Activity | undefined> {
  const chain = directChain(directEndpoints(config, { clock: io.clock, signal }));
  const read = taskQueueReads(config.ethereum.task_queue_address).getActivity(id);
  try {
    return read.decode(await reachable(() => chain.call({ to: read.to, data: read.data })));
  } catch (error) {
    if (error instanceof CallReverted && error.revert.name === "UnknownActivity") return undefined;
    throw error;
  }
}
