import { EXIT } from "@subnet-worker/kit";
import { ControlClient } from "../control/control-client.ts";
import type { QueueView } from "../domain/scheduler/queue-policy.ts";
import { loadCommandConfig, type RunCommand } from "./command.ts";
import { formatTable } from "./table.ts";

/** `wcp queue ls`: the queues that the running node works for. */
export const listQueues: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  const client = new ControlClient(loadCommandConfig(invocation).control.socket);
  const queues = await client.get<readonly QueueView[]>("/v1/queues");
  if (options["json"] === true) {
    io.out(`${JSON.stringify(queues, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const head = ["QUEUE", "STATE", "WAITING", "UNDER WAY", "WEIGHT", "PRIORITY", "RATE"];
  io.out(formatTable(head, queues.map(toRow)));
  return EXIT.ok;
};

function toRow(queue: QueueView): readonly string[] {
  const { maxInflight, ratePerS } = queue;
  return [
    queue.name,
    queue.isPaused ? "paused" : "open",
    String(queue.waiting),
    maxInflight === undefined ? String(queue.inflight) : `${queue.inflight} of ${maxInflight}`,
    String(queue.weight),
    String(queue.priority),
    ratePerS === undefined ? "-" : `${ratePerS}/s`,
  ];
}

/** `wcp queue pause|resume`: claims nothing more of a queue, or again. */
export function pauseCommand(action: "pause" | "resume"): RunCommand {
  return async (invocation) => {
    const { io, args, options } = invocation;
    const [name = ""] = args;
    const client = new ControlClient(loadCommandConfig(invocation).control.socket);
    const queue = await client.post<QueueView>(`/v1/queues/${encodeURIComponent(name)}/${action}`);
    if (options["json"] === true) io.out(`${JSON.stringify(queue, undefined, 2)}\n`);
    else io.out(action === "pause" ? pausedText(queue) : `${name} is claimed from again.\n`);
    return EXIT.ok;
  };
}

function pausedText({ name, inflight }: QueueView): string {
  const left = inflight === 0 ? "Nothing of it is under way" : "What is under way goes on to its end";
  return `Nothing more of ${name} is claimed. ${left}. It lasts until wcp queue resume ${name}, over restarts too.\n`;
}
