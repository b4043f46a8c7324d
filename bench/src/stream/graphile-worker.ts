/** A graphile-worker that does nothing. Arguments: connection string, concurrency, `batched` or `default`. Prints a line when it works. */
import { Logger, run } from "graphile-worker";

const [connectionString, concurrency, mode] = process.argv.slice(2);
const concurrentJobs = Number(concurrency);
// As ours: silent but for what is wrong. Its own would write a line for each job.
const logger = new Logger(() => (level, message) => {
  if (level === "warning" || level === "error") process.stderr.write(`graphile-worker: ${message}\n`);
});
const runner = await run({
  preset: {
    worker: {
      ...(connectionString === undefined ? {} : { connectionString }),
      concurrentJobs,
      maxPoolSize: concurrentJobs + 1, // one listens
      logger,
      // As its documentation has it for many small jobs.
      ...(mode === "batched"
        ? { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
        : {}),
    },
  },
  taskList: { noop: async () => undefined },
});
process.stdout.write("ready\n");
await runner.promise;
