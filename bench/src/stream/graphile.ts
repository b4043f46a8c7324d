import { systemClock } from "@subnet-worker/kit";
import { quickAddJob, runMigrations } from "graphile-worker";
import { Pool } from "pg";
import { startChild } from "./child.ts";
import { type Peer, rateOf } from "./peer.ts";
import { startPostgres } from "./servers.ts";

export interface GraphileOptions {
  readonly concurrency: number;
  /** Local queue and batched completion, or neither, as it comes. */
  readonly mode: "batched" | "default";
}

const PORTION = 500;
const LOOK_MS = 5;

/** graphile-worker on a PostgreSQL of its own. */
export async function startGraphile({ concurrency, mode }: GraphileOptions): Promise<Peer> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres());
  const connectionString = `postgres://bench@127.0.0.1:${postgres.port}/postgres`;
  await runMigrations({ connectionString });
  // Its first job makes the task known, which the bulk call below takes for granted.
  const pool = new Pool({ connectionString, max: 2 });
  pool.on("error", () => undefined); // of a connection that ends with its server
  stack.defer(() => pool.end());
  const startWorker = async () => {
    const worker = startChild("graphile-worker.ts", [connectionString, String(concurrency), mode]);
    await worker.line();
    return worker;
  };
  const owned = stack.move();
  return {
    async queued(jobs) {
      await using worker = await startWorker();
      await add(pool, jobs);
      return await rateOf(jobs, async () => {
        worker.send("go");
        await untilEmpty(pool);
      });
    },
    async offered(jobs) {
      await using worker = await startWorker();
      worker.send("go");
      await quickAddJob({ pgPool: pool }, "noop", { number: 7 });
      await untilEmpty(pool); // it runs
      return await rateOf(jobs, async () => {
        await add(pool, jobs);
        await untilEmpty(pool);
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function add(pool: Pool, jobs: number): Promise<void> {
  for (let from = 0; from < jobs; from += PORTION) {
    await pool.query(
      `SELECT graphile_worker.add_jobs(array(
         SELECT json_populate_record(null::graphile_worker.job_spec, '{"identifier":"noop","payload":{"number":7}}'::json)
         FROM generate_series(1, $1)))`,
      [Math.min(PORTION, jobs - from)],
    );
  }
}

/** Jobs that are done are deleted. */
async function untilEmpty(pool: Pool): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ readonly is_empty: boolean }>(
      "SELECT NOT EXISTS (SELECT FROM graphile_worker._private_jobs) AS is_empty",
    );
    if (rows[0]?.is_empty === true) return;
    await systemClock.sleep(LOOK_MS);
  }
}
