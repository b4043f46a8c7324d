import { EXIT, StartupError } from "@subnet-worker/kit";
import { StoreInspector } from "../adapters/sqlite/inspect.ts";
import { OrderDesk } from "../adapters/sqlite/inspect-orders.ts";
import type { IntentView, TransactionView } from "../adapters/sqlite/inspect-transactions.ts";
import { keyHolder } from "../adapters/sqlite/process-lock.ts";
import type { Config } from "../config.ts";
import { keyLockOptions } from "../open.ts";
import type { OrderAnswer, TxOrder } from "../chain-ports.ts";
import {
  durationOption,
  type Invocation,
  loadCommandConfig,
  nonceArgument,
  type RunCommand,
} from "./command.ts";
import { formatAge, formatFields, formatGwei, formatTable } from "./table.ts";

/** `wcp tx ls`: the wallet's transactions; without `--all` those that are not final. */
export const listTransactions: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  using inspector = new StoreInspector(loadCommandConfig(invocation).db.path);
  const transactions = inspector.transactions(options["all"] === true);
  if (options["json"] === true) {
    io.out(`${JSON.stringify(transactions, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const nowMs = io.clock.nowMs();
  if (transactions.length > 0) {
    const head = ["NONCE", "KIND", "STATE", "AGE", "TRIES", "FEE GWEI", "TIP GWEI", "HASH"];
    io.out(
      formatTable(
        head,
        transactions.map((transaction) => toRow(transaction, nowMs)),
      ),
    );
  }
  io.out(summaryOf(inspector, transactions));
  return EXIT.ok;
};

function toRow(transaction: TransactionView, nowMs: number): readonly string[] {
  const { nonce, state, created_at_ms, attempts, tx_hash } = transaction;
  const last = attempts.at(-1);
  return [
    String(nonce),
    kindOf(transaction),
    state,
    formatAge(nowMs - created_at_ms),
    String(attempts.length),
    last === undefined ? "-" : formatGwei(last.max_fee_per_gas_wei),
    last === undefined ? "-" : formatGwei(last.max_priority_fee_per_gas_wei),
    tx_hash ?? last?.tx_hash ?? "-",
  ];
}

function kindOf({ kind, intents, attempts }: TransactionView): string {
  const what =
    kind === "single" ? (intents[0]?.kind ?? kind) : kind === "batch" ? `batch of ${intents.length}` : kind;
  // A no-op in its place: somebody cancelled it, or it was of no use any more.
  return attempts.at(-1)?.is_noop === true && kind !== "noop" ? `${what} (given up)` : what;
}

function summaryOf(inspector: StoreInspector, shown: readonly TransactionView[]): string {
  const open = shown.filter(({ state }) => state === "signed" || state === "included").length;
  const last = inspector.highestNonce();
  return `${open} under way, ${inspector.queuedCount()} waiting for a nonce, last nonce ${last ?? "none"}\n`;
}

/** `wcp tx show`: all about one transaction or intent. */
export const showTransaction: RunCommand = async (invocation) => {
  const { io, args, options } = invocation;
  const [what = ""] = args;
  using inspector = new StoreInspector(loadCommandConfig(invocation).db.path);
  const intent = inspector.intent(what);
  const transaction = findTransaction(inspector, what, intent);
  if (transaction === undefined && intent === undefined) {
    throw new StartupError(
      EXIT.fault,
      `there is no transaction with nonce, hash or key "${what}"; wcp tx ls --all lists them, wcp db show tx:ACTIVITY what was sent for one activity`,
    );
  }
  if (options["json"] === true) {
    io.out(`${JSON.stringify(transaction ?? intent, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const nowMs = io.clock.nowMs();
  if (transaction !== undefined) io.out(transactionText(transaction, nowMs));
  for (const each of transaction?.intents ?? [intent]) {
    if (each !== undefined) io.out(`\n${intentText(each, nowMs)}`);
  }
  return EXIT.ok;
};

function findTransaction(
  inspector: StoreInspector,
  what: string,
  intent: IntentView | undefined,
): TransactionView | undefined {
  if (/^\d+$/.test(what)) return inspector.transaction(Number(what));
  if (/^0x[0-9a-fA-F]{64}$/.test(what)) return inspector.transactionByHash(what);
  return intent?.nonce === null || intent === undefined ? undefined : inspector.transaction(intent.nonce);
}

function transactionText(transaction: TransactionView, nowMs: number): string {
  const { nonce, state, created_at_ms, block_number, gas_used, succeeded, attempts } = transaction;
  const mined = block_number === null ? [] : ([["block", String(block_number)]] as const);
  const gas = gas_used === null ? [] : ([["gas used", gas_used]] as const);
  const outcome = succeeded === false ? ([["outcome", "reverted"]] as const) : [];
  const fields = formatFields([
    ["nonce", String(nonce)],
    ["kind", kindOf(transaction)],
    ["state", state],
    ["age", formatAge(nowMs - created_at_ms)],
    ...mined,
    ...gas,
    ...outcome,
  ]);
  const rows = attempts.map((attempt) => [
    String(attempt.number),
    `${formatAge(nowMs - attempt.signed_at_ms)} ago`,
    formatGwei(attempt.max_fee_per_gas_wei),
    formatGwei(attempt.max_priority_fee_per_gas_wei),
    attempt.gas_limit,
    attempt.tx_hash === transaction.tx_hash ? `${attempt.tx_hash} (this one was mined)` : attempt.tx_hash,
  ]);
  return `${fields}\n${formatTable(["TRY", "SIGNED", "FEE GWEI", "TIP GWEI", "GAS LIMIT", "HASH"], rows)}`;
}

function intentText(intent: IntentView, nowMs: number): string {
  const state = intent.is_confirmed ? `${intent.state}, confirmed` : intent.state;
  const why = intent.revert === null ? [] : ([["because", intent.revert]] as const);
  return formatFields([
    ["intent", intent.key],
    ["kind", intent.kind],
    ["activity", intent.activity_id],
    ["state", state],
    ["age", formatAge(nowMs - intent.created_at_ms)],
    ...why,
  ]);
}

/** Between looks for an answer. The node looks for orders once a second. */
const ANSWER_POLL_MS = 200;

/** `wcp tx bump|cancel|rebroadcast`: leaves an order for the node and waits for its answer. Exit code 1 when it was not carried out. */
export function orderCommand(action: TxOrder["action"]): RunCommand {
  return async (invocation) => {
    const nonce = nonceArgument(invocation.args[0] ?? "");
    const waitMs = durationOption(invocation, "wait", "30s");
    const config = loadCommandConfig(invocation);
    const { wallet } = refuseUseless(config, nonce);
    using desk = new OrderDesk(config.db.path);
    const { io } = invocation;
    const id = desk.place({ action, nonce }, io.clock.nowMs());
    if (keyHolder(keyLockOptions(config, wallet, io.env)) === undefined) {
      io.out(`The node is not running. It will ${action} nonce ${nonce} when it is: wcp run\n`);
      return EXIT.ok;
    }
    const answer = await waitForAnswer(invocation, { desk, id, waitMs });
    if (answer === undefined) {
      io.out(
        `The node has not answered within ${formatAge(waitMs)}. The order stands; wcp tx show ${nonce} tells what became of it.\n`,
      );
      return EXIT.tryLater;
    }
    if (!answer.isDone) throw new StartupError(EXIT.fault, `${action} of nonce ${nonce}: ${answer.text}`);
    io.out(`${answer.text}\n`);
    return EXIT.ok;
  };
}

/** An order that can come to nothing is refused here, where its reason is seen. */
function refuseUseless(config: Config, nonce: number): { readonly wallet: string } {
  using inspector = new StoreInspector(config.db.path);
  const transaction = inspector.transaction(nonce);
  if (transaction === undefined) {
    throw new StartupError(
      EXIT.fault,
      `this node has signed nothing with nonce ${nonce}; wcp tx ls lists what is under way`,
    );
  }
  const { state, block_number } = transaction;
  if (state === "included" || state === "confirmed") {
    throw new StartupError(
      EXIT.fault,
      `nonce ${nonce} is mined already, in block ${block_number}; there is nothing to do`,
    );
  }
  if (state === "displaced") {
    throw new StartupError(
      EXIT.fault,
      `nonce ${nonce} was used by a transaction that is not this node's; none of ours can be mined with it. See docs/runbooks/key-compromise.md if that was not you`,
    );
  }
  return inspector.identity;
}

async function waitForAnswer(
  { io, signal }: Invocation,
  { desk, id, waitMs }: { readonly desk: OrderDesk; readonly id: number; readonly waitMs: number },
): Promise<OrderAnswer | undefined> {
  const untilMs = io.clock.monotonicMs() + waitMs;
  for (;;) {
    const answer = desk.answer(id);
    if (answer !== undefined || signal.aborted || io.clock.monotonicMs() >= untilMs) return answer;
    await io.clock.sleep(ANSWER_POLL_MS, signal);
  }
}
