import { systemClock } from "@subnet-worker/kit";
import { runMigrations } from "graphile-worker";
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

/** Connections beside those of the worker: the two of this process, and some to spare. */
const OTHER_CONNECTIONS = 20;

/** graphile-worker on a PostgreSQL of its own: jobs are on disk when they are added and deleted when they are done. */
export async function startGraphile({ concurrency, mode }: GraphileOptions): Promise<Peer> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres({ connections: concurrency + OTHER_CONNECTIONS }));
  const connectionString = `postgres://bench@127.0.0.1:${postgres.port}/postgres`;
  await runMigrations({ connectionString });
  const pool = new Pool({ connectionString, max: 2 });
  pool.on("error", () => undefined); // of a connection that ends with its server
  stack.defer(() => pool.end());
  const worker = stack.use(startChild("graphile-worker.ts", [connectionString, String(concurrency), mode]));
  await worker.line();
  await add(pool, 1);
  await untilEmpty(pool); // it works
  const owned = stack.move();
  return {
    queued: (jobs) => runQueued(pool, jobs),
    offered: (jobs) =>
      rateOf(jobs, async () => {
        await add(pool, jobs);
        await untilEmpty(pool);
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The jobs are written before the clock starts; with the commit, the worker sees and is told of all of them. */
async function runQueued(pool: Pool, jobs: number): Promise<number> {
  const client = await pool.connect();
  let isCommitted = false;
  try {
    await client.query("BEGIN");
    await add(client, jobs);
    return await rateOf(jobs, async () => {
      await client.query("COMMIT");
      isCommitted = true;
      await untilEmpty(pool);
    });
  } finally {
    client.release(!isCommitted);
  }
}

async function add(database: Pick<Pool, "query">, jobs: number): Promise<void> {
  for (let from = 0; from < jobs; from += PORTION) {
    await database.query(
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
