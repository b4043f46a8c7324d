import { dataSlice, getAddress, id } from "ethers";

/**
 * The address that stands on chain for one activity of a workflow: the last 20 bytes of
 * keccak256(utf8("<workflow>:<activityId>")), checksummed.
 *
 * @example
 * ```ts
 * import { activityTypeAddress } from "@subnet-worker/contracts";
 *
 * activityTypeAddress("audio/1.0.0", "audio_preprocess");
 * ```
 */
export function activityTypeAddress(workflow: string, activityId: string): string {
  return getAddress(dataSlice(id(`${workflow}:${activityId}`), 12));
}

/** The queue of a workflow's worker class, like `audio/1.0.0/processing`. */
export function queueNameOf(workflow: string, workerClass: string): string {
  return `${workflow}/${workerClass}`;
}

/** The second topic of `ActivityEnqueued` for one queue: what to filter `eth_getLogs` by. */
export function queueTopic(queueName: string): string {
  return id(queueName);
}
