import { describe, expect, it } from "vitest";
import { anOffer, idOf } from "./_builders.ts";
import { SUCCESS } from "./_fake-executor.ts";
import { NodeBench } from "./_node-bench.ts";
import { aQueue } from "./_scheduler-world.ts";
import { settle } from "./_until.ts";

const QUEUES = [aQueue("paused", { isPaused: true }), aQueue("live")];

/** A network that offers what was passed over again when its queue is wanted. */
class Network {
  readonly #node: NodeBench;
  #passedOver: { readonly number: number; readonly queue: string }[] = [];

  constructor(node: NodeBench) {
    this.#node = node;
  }

  get passedOver(): readonly number[] {
    return this.#passedOver.map(({ number }) => number);
  }

  async offer(queue: string, ...numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const isTaken = await this.#node.dispatcher.offer(anOffer({ id: idOf(number), queue }));
      if (!isTaken) this.#passedOver.push({ number, queue });
    }
  }

  async offerAgain(): Promise<void> {
    for (const each of this.#passedOver.splice(0)) {
      if (this.#node.dispatcher.wanted(each.queue)) await this.offer(each.queue, each.number);
      else this.#passedOver.push(each);
    }
  }
}

async function finish(node: NodeBench, number: number): Promise<void> {
  const run = await node.executor.nextRun();
  expect(run.assignment.task.id).toBe(idOf(number));
  run.end.resolve(SUCCESS);
  await node.whenStored("done", number);
}

describe("a paused queue that fills the backlog", () => {
  it("keeps no other queue from being offered, claimed and done", async () => {
    await using node = await NodeBench.start({ queues: QUEUES, maxOffers: 4 });
    const network = new Network(node);
    await network.offer("paused", 1, 2, 3, 4, 5, 6);
    expect(network.passedOver).toEqual([5, 6]);
    expect(node.dispatcher.wanted("paused")).toBe(false);
    for (const number of [7, 8, 9]) {
      expect(node.dispatcher.wanted("live")).toBe(true);
      await network.offer("live", number);
      await finish(node, number);
    }
    expect(network.passedOver).toEqual([5, 6]);
  });

  it("leaves no trace of what is passed over, however often it is offered", async () => {
    await using node = await NodeBench.start({ queues: QUEUES, maxOffers: 1 });
    const network = new Network(node);
    await network.offer("paused", 1);
    const before = [...node.states];
    for (let repeat = 0; repeat < 10; repeat += 1) await network.offer("paused", 2);
    // What waits already is not passed over.
    await network.offer("paused", 1);
    await settle();
    expect(network.passedOver).toEqual(Array<number>(10).fill(2));
    expect(node.states).toEqual(before);
    expect(node.stored(2)).toBeUndefined();
  });

  it("has what was passed over run once it goes on", async () => {
    await using node = await NodeBench.start({ queues: QUEUES, maxOffers: 4 });
    const network = new Network(node);
    const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
    await network.offer("paused", ...numbers);
    await network.offerAgain();
    expect(network.passedOver).toHaveLength(16);
    await node.dispatcher.pauseQueue("paused", false);
    for (let done = 0; done < numbers.length; done += 1) {
      (await node.executor.nextRun()).end.resolve(SUCCESS);
      await settle();
      await network.offerAgain();
    }
    for (const number of numbers) await node.whenStored("done", number);
    expect(network.passedOver).toEqual([]);
    expect(node.source.count("claim")).toBe(20);
  });

  it("takes up what it gave up a moment ago when there is room for it, not before", async () => {
    await using node = await NodeBench.start({
      queues: [aQueue("paused"), aQueue("live")],
      maxOffers: 2,
      cooldownMs: 5_000,
    });
    const network = new Network(node);
    node.source.onClaim = async () => ({ kind: "lost", reason: "late" });
    await network.offer("paused", 1);
    await node.whenStored("lost", 1);
    node.source.onClaim = async () => ({ kind: "won", lease: node.source.lease() });
    await node.dispatcher.pauseQueue("paused", true);
    await network.offer("paused", 1, 2, 3);
    expect(network.passedOver).toEqual([]);
    await node.pass(10_000);
    expect(node.stored(1)?.kind).toBe("lost");
    await node.dispatcher.pauseQueue("paused", false);
    await node.pass(2_000);
    for (let runs = 0; runs < 3; runs += 1) (await node.executor.nextRun()).end.resolve(SUCCESS);
    for (const number of [1, 2, 3]) await node.whenStored("done", number);
  });
});
