/** A BullMQ worker that does nothing. Arguments: Redis port, queue, concurrency. Prints each count it is asked for. */
import { createInterface } from "node:readline";
import { Worker } from "bullmq";

const [port, queue = "", concurrency] = process.argv.slice(2);
let done = 0;
let wanted = Number.POSITIVE_INFINITY;
const worker = new Worker(queue, async ({ data }: { data: unknown }) => data, {
  connection: { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null },
  concurrency: Number(concurrency),
  autorun: false,
});
worker.on("completed", () => {
  done += 1;
  if (done === wanted) void rest();
});
await worker.waitUntilReady();
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  // `run 5000`: works until so many are done from now on.
  wanted = done + Number(line.split(" ")[1]);
  if (worker.isPaused()) void worker.resume();
  else void worker.run();
}

/** Else it would begin with what is added before the next clock starts. */
async function rest(): Promise<void> {
  process.stdout.write("done\n");
  await worker.pause();
  process.stdout.write("resting\n");
}
