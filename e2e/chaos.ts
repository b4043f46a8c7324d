/**
 * `pnpm chaos`: a whole node on a chain with blocks of a second, killed again and
 * again while its endpoints fail in every way and its chain is reorganised.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ChaosResult, problemsOf, runChaos } from "./_chaos.ts";

const USAGE = `pnpm chaos [--activities 500] [--kills 100] [--db-deletions 2] [--reorgs 2] [--confirmations 3] [--batching] [--seed N] [--keep]
`;

const { values } = parseArgs({
  options: {
    activities: { type: "string", default: "500" },
    kills: { type: "string", default: "100" },
    "db-deletions": { type: "string", default: "2" },
    reorgs: { type: "string", default: "2" },
    confirmations: { type: "string", default: "3" },
    batching: { type: "boolean", default: false },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function toRows(result: ChaosResult): readonly (readonly [string, string | number])[] {
  return [
    ["activities on the final chain", result.activities],
    ["completed once by us, with their own result", result.completedOnce],
    ["completions too many", result.duplicates],
    ["never completed", result.lost],
    ["failed", result.failed],
    ["leases that ran out", result.expired],
    ["handler runs", result.handlerRuns],
    ["SIGKILLs", result.kills],
    ["databases deleted", result.dbDeletions],
    ["reorgs", result.reorgs],
    ["transactions that they lost", result.reorgedOut],
    ["RPC faults", Object.values(result.faults).reduce((sum, count) => sum + count, 0)],
    ["our transactions in blocks", result.transactions],
    ["of these reverted", result.reverted],
    ["completed when the last kill was over", result.completedInStorm],
    ["seconds", Math.round(result.durationS)],
  ];
}

function print(result: ChaosResult, seed: number): void {
  for (const [what, value] of toRows(result)) process.stdout.write(`${what.padEnd(46)}${value}\n`);
  process.stdout.write(`${JSON.stringify(result.faults)}\n`);
  const metrics = {
    activities: result.activities,
    completed_once: result.completedOnce,
    duplicates: result.duplicates,
    lost: result.lost,
    failed: result.failed,
    kills: result.kills,
    db_deletions: result.dbDeletions,
    reorgs: result.reorgs,
    reorged_out: result.reorgedOut,
    handler_runs: result.handlerRuns,
    reverted_transactions: result.reverted,
    expired_leases: result.expired,
    crashes: result.crashes.length,
    rpc_faults: Object.values(result.faults).reduce((sum, count) => sum + count, 0),
    duration_s: Math.round(result.durationS),
    seed,
  };
  process.stdout.write(`${JSON.stringify({ name: "chaos", metrics })}\n`);
}

async function main(): Promise<void> {
  const seed = Number(values.seed);
  const activities = Number(values.activities);
  const size = {
    activities,
    kills: Number(values.kills),
    dbDeletions: Number(values["db-deletions"]),
    reorgs: Number(values.reorgs),
    confirmations: Number(values.confirmations),
  };
  if ([seed, ...Object.values(size)].some((value) => !Number.isInteger(value) || value < 0)) {
    process.stderr.write(USAGE);
    process.exitCode = 78;
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), "chaos-"));
  process.stdout.write(`seed ${seed}; repeat with --seed ${seed} and the same sizes\n`);
  const say = (line: string) => process.stdout.write(`  ${line}\n`);
  try {
    const result = await runChaos({
      ...size,
      seed,
      batching: values.batching,
      dir,
      say,
      finishWithinMs: 300_000,
    });
    const problems = problemsOf(result, activities);
    print(result, seed);
    for (const problem of problems) process.stderr.write(`NOT MET: ${problem}\n`);
    process.exitCode = problems.length === 0 ? 0 : 1;
  } catch (error) {
    process.exitCode = 1;
    throw error;
  } finally {
    if (process.exitCode === 0 && !values.keep) rmSync(dir, { recursive: true, force: true });
    else process.stderr.write(`logs, database and plan are kept in ${dir}\n`);
  }
}

// Children are killed when this process exits, which a signal alone would not do.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

if (values.help) process.stdout.write(USAGE);
else await main();
