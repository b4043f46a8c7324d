import { taskQueueInterface, workflowEngineInterface } from "@subnet-worker/contracts";
import type { Log, LogDescription } from "ethers";
import type { Moment, RunEvent } from "../domain/run.ts";

type Read = (args: LogDescription["args"], moment: Moment) => RunEvent;

const ENGINE_EVENTS: Readonly<Record<string, Read>> = {
  StepEnqueued: (args, moment) => ({
    ...moment,
    kind: "step-enqueued",
    step: Number(args["step"]),
    activityIds: [...(args["activityIds"] as Iterable<string>)],
  }),
  StepFinalised: (args, moment) => ({
    ...moment,
    kind: "step-finalised",
    step: Number(args["step"]),
    success: args["success"] === true,
  }),
  StepSkipped: (args, moment) => ({ ...moment, kind: "step-skipped", step: Number(args["step"]) }),
  WorkflowCompleted: (_args, moment) => ({ ...moment, kind: "workflow-completed" }),
  WorkflowFailed: (args, moment) => ({ ...moment, kind: "workflow-failed", reason: String(args["reason"]) }),
};

const idAndWorker = (args: LogDescription["args"]) => ({
  activityId: String(args["activityId"]),
  worker: String(args["worker"]),
});

const QUEUE_EVENTS: Readonly<Record<string, Read>> = {
  ActivityClaimed: (args, moment) => ({ ...moment, kind: "claimed", ...idAndWorker(args) }),
  ActivityHeartbeat: (args, moment) => ({
    ...moment,
    kind: "heartbeat",
    activityId: String(args["activityId"]),
    progressPercent: Number(args["progress"]),
  }),
  ActivityCompleted: (args, moment) => ({ ...moment, kind: "completed", ...idAndWorker(args) }),
  ActivityFailed: (args, moment) => ({
    ...moment,
    kind: "failed",
    ...idAndWorker(args),
    reason: String(args["reason"]),
  }),
  ActivityExpired: (args, moment) => ({ ...moment, kind: "expired", activityId: String(args["activityId"]) }),
};

/** What one log of the two contracts says about `instance`; `undefined` when it is about something else. */
export function eventOf(log: Log, instance: string, seenMs: number): RunEvent | undefined {
  const moment: Moment = { seenMs, block: log.blockNumber };
  const engine = workflowEngineInterface.parseLog(log);
  if (engine !== null) {
    return engine.args["instance"] === instance
      ? ENGINE_EVENTS[engine.name]?.(engine.args, moment)
      : undefined;
  }
  const queue = taskQueueInterface.parseLog(log);
  return queue === null ? undefined : QUEUE_EVENTS[queue.name]?.(queue.args, moment);
}
