import { Queue } from "bullmq";
import { type Child, startChild } from "./child.ts";
import { type Peer, rateOf } from "./peer.ts";
import { startRedis } from "./servers.ts";

const QUEUE = "noop";
const PORTION = 500;

/** BullMQ on a Redis of its own: no job is synced to disk, and jobs are forgotten when they are done; ours are kept. */
export async function startBullMq({ concurrency }: { readonly concurrency: number }): Promise<Peer> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const queue = new Queue(QUEUE, { connection: { host: "127.0.0.1", port: redis.port } });
  stack.defer(() => queue.close());
  const worker = stack.use(startChild("bullmq-worker.ts", [String(redis.port), QUEUE, String(concurrency)]));
  await worker.line();
  const owned = stack.move();
  return {
    async queued(jobs) {
      await add(queue, jobs);
      const rate = await rateOf(jobs, () => finish(worker, jobs));
      await worker.line(); // it rests
      return rate;
    },
    async offered(jobs) {
      const rate = await rateOf(jobs, () => Promise.all([finish(worker, jobs), add(queue, jobs)]));
      await worker.line();
      return rate;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function add(queue: Queue, jobs: number): Promise<void> {
  for (let from = 0; from < jobs; from += PORTION) {
    const count = Math.min(PORTION, jobs - from);
    await queue.addBulk(
      Array.from({ length: count }, () => ({
        name: "noop",
        data: { number: 7 },
        opts: { removeOnComplete: true },
      })),
    );
  }
}

async function finish(worker: Child, jobs: number): Promise<void> {
  worker.send(`run ${jobs}`);
  await worker.line();
}
