/** A graphile-worker that does nothing. Arguments: connection string, concurrency, `batched` or `default`. Works from its first line of input on. */
import { once } from "node:events";
import { run } from "graphile-worker";

const [connectionString, concurrency, mode] = process.argv.slice(2);
const concurrentJobs = Number(concurrency);
process.stdout.write("ready\n");
await once(process.stdin, "data");
const runner = await run({
  preset: {
    worker: {
      ...(connectionString === undefined ? {} : { connectionString }),
      concurrentJobs,
      maxPoolSize: Math.min(90, concurrentJobs + 1), // PostgreSQL as it comes takes 100 connections
      // As its documentation has it for many small jobs.
      ...(mode === "batched"
        ? { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
        : {}),
    },
  },
  taskList: { noop: async () => undefined },
});
await runner.promise;
