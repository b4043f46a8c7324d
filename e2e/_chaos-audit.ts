import { DatabaseSync } from "node:sqlite";
import { readFileSync } from "node:fs";
import { taskQueueReads } from "@subnet-worker/contracts";
import type { ChainEvent } from "./_anvil.ts";
import { readTally, type TallyRecord, type TaskChain } from "./_task-chain.ts";

/** What the canonical chain, the node's database and the handler's file say in the end. */
export interface Audit {
  /** On the final chain. */
  readonly activities: number;
  /** By our wallet, with the result that belongs to the input. */
  readonly completedOnce: number;
  /** Completions beyond the first of an activity, and those by somebody else. */
  readonly duplicates: number;
  readonly lost: number;
  readonly failed: number;
  readonly expired: number;
  readonly wrongResults: number;
  /** Activities that the wallet still holds. */
  readonly held: number;
  readonly handlerRuns: number;
  /** Of our wallet, in blocks. */
  readonly transactions: number;
  readonly reverted: number;
}

export interface AuditInput {
  readonly chain: TaskChain;
  readonly wallet: string;
  readonly tallyFile: string;
}

export async function auditChain({ chain, wallet, tallyFile }: AuditInput): Promise<Audit> {
  const events = await chain.anvil.events(chain.facts);
  const ids = idsOf(events, "ActivityEnqueued");
  const completed = events.filter(({ name }) => name === "ActivityCompleted");
  const byId = Map.groupBy(completed, ({ args }) => String(args["activityId"]));
  const records = await Promise.all(ids.map((id) => readTally(chain, id)));
  const isRight = ({ activityId, number, answered }: TallyRecord) =>
    byId.get(activityId)?.length === 1 && isBy(byId.get(activityId)?.[0], wallet) && answered === number;
  const completedOnce = records.filter(isRight).length;
  const extra = completed.length - byId.size + completed.filter((event) => !isBy(event, wallet)).length;
  const read = taskQueueReads(chain.facts.taskQueue).getWorkerActivities(wallet);
  const held = read.decode(
    String(await chain.anvil.rpc("eth_call", [{ to: read.to, data: read.data }, "latest"])),
  );
  return {
    activities: ids.length,
    completedOnce,
    duplicates: extra,
    lost: ids.filter((id) => !byId.has(id)).length,
    failed: idsOf(events, "ActivityFailed").length,
    expired: idsOf(events, "ActivityExpired").length,
    wrongResults: records.filter(({ number, answered }) => answered !== undefined && answered !== number)
      .length,
    held: held.length,
    handlerRuns: readFileSync(tallyFile, "utf8").trim().split("\n").length,
    ...(await countTransactions(chain, wallet)),
  };
}

function idsOf(events: readonly ChainEvent[], wanted: string): readonly string[] {
  return events.filter(({ name }) => name === wanted).map(({ args }) => String(args["activityId"]));
}

function isBy(event: ChainEvent | undefined, wallet: string): boolean {
  return String(event?.args["worker"]).toLowerCase() === wallet.toLowerCase();
}

interface RawReceipt {
  readonly from: string;
  readonly status: string;
}

/** Transactions of the wallet in the canonical chain. */
export async function countTransactions(
  chain: TaskChain,
  wallet: string,
): Promise<{ readonly transactions: number; readonly reverted: number }> {
  let [transactions, reverted] = [0, 0];
  const head = await chain.head();
  for (let block = 0; block <= head; block += 1) {
    const receipts = (await chain.anvil.rpc("eth_getBlockReceipts", [`0x${block.toString(16)}`])) as
      | readonly RawReceipt[]
      | null;
    const ours = (receipts ?? []).filter(({ from }) => from.toLowerCase() === wallet.toLowerCase());
    transactions += ours.length;
    reverted += ours.filter(({ status }) => status !== "0x1").length;
  }
  return { transactions, reverted };
}

/** What a database still has to do. Tables as in packages/wcp/src/adapters/sqlite/schema.ts. */
export interface OpenWork {
  readonly tasks: number;
  readonly intents: number;
  readonly transactions: number;
}

export function readOpenWork(databasePath: string): OpenWork {
  const database = new DatabaseSync(databasePath, { readOnly: true });
  try {
    const count = (sql: string) => Number(database.prepare(`SELECT count(*) AS n FROM ${sql}`).get()?.["n"]);
    return {
      tasks: count("current_tasks WHERE state NOT IN ('done', 'lost', 'expired', 'abandoned')"),
      intents: count(
        "intents WHERE state IN ('queued', 'signed') OR (state IN ('mined', 'reverted') AND is_confirmed = 0)",
      ),
      transactions: count("transactions WHERE state IN ('signed', 'included')"),
    };
  } finally {
    database.close();
  }
}
