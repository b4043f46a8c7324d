import type { Activity, ContractRead, TaskQueueReads } from "@subnet-worker/contracts";
import { taskQueueReads } from "@subnet-worker/contracts";
import type { Chain } from "../../ports.ts";

/** Reads of the TaskQueue in the worker's name: what it may claim depends on who asks. */
export class ContractCaller {
  readonly #chain: Chain;
  readonly #wallet: string;
  readonly #taskQueue: TaskQueueReads;

  constructor(deps: { readonly chain: Chain; readonly wallet: string; readonly taskQueue: string }) {
    this.#chain = deps.chain;
    this.#wallet = deps.wallet;
    this.#taskQueue = taskQueueReads(deps.taskQueue);
  }

  poll(queue: string): Promise<Activity | undefined> {
    return this.#read(this.#taskQueue.pollActivity(queue, 0));
  }

  activity(id: string): Promise<Activity> {
    return this.#read(this.#taskQueue.getActivity(id));
  }

  held(): Promise<readonly string[]> {
    return this.#read(this.#taskQueue.getWorkerActivities(this.#wallet));
  }

  async #read<T>(read: ContractRead<T>): Promise<T> {
    return read.decode(await this.#chain.call({ from: this.#wallet, to: read.to, data: read.data }));
  }
}
