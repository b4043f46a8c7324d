import { systemClock } from "@subnet-worker/kit";
import { Transaction, Wallet } from "ethers";
import { callsOf, type Rig } from "./rig.ts";

/** Requests on the way at once: more does not make anvil faster. */
const IN_FLIGHT = 64;
const GAS_LIMIT = 500_000n;
const GWEI = 1_000_000_000n;
const LOOK_MS = 5;
const STALL_MS = 500;

/**
 * Anvil's own rate: the claims and completions of every activity, all signed
 * beforehand, sent without waiting for any, until all are mined.
 *
 * @returns transactions per second
 */
export async function runSignedPipeline({ chain, worker, activityIds }: Rig): Promise<number> {
  const calls = activityIds.map((id, number) => callsOf(id, number));
  const data = [...calls.map(({ claim }) => claim), ...calls.map(({ complete }) => complete)];
  const key = new Wallet(worker.privateKey).signingKey;
  // The registration took nonce 0.
  const first = Number(await chain.anvil.rpc("eth_getTransactionCount", [worker.address, "latest"]));
  const signed = data.map((each, index) => {
    const transaction = Transaction.from({
      type: 2,
      chainId: chain.facts.chainId,
      nonce: first + index,
      to: chain.facts.taskQueue,
      data: each,
      gasLimit: GAS_LIMIT,
      maxFeePerGas: 100n * GWEI,
      maxPriorityFeePerGas: GWEI,
    });
    transaction.signature = key.sign(transaction.unsignedHash);
    return transaction.serialized;
  });
  const startMs = performance.now();
  const pending = signed.values();
  const send = async () => {
    for (const raw of pending) await chain.anvil.rpc("eth_sendRawTransaction", [raw]);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, send));
  await untilMined({ chain, worker }, first + signed.length);
  const seconds = (performance.now() - startMs) / 1_000;
  await mustHaveCompleted(chain, activityIds.length);
  return signed.length / seconds;
}

async function untilMined({ chain, worker }: Pick<Rig, "chain" | "worker">, wanted: number): Promise<void> {
  let [mined, changedMs] = [-1, performance.now()];
  while (mined < wanted) {
    const now = Number(await chain.anvil.rpc("eth_getTransactionCount", [worker.address, "latest"]));
    if (now !== mined) changedMs = performance.now();
    mined = now;
    // Anvil mines when a transaction arrives, and at times leaves the last ones where they are.
    if (performance.now() - changedMs > STALL_MS) await chain.anvil.mine();
    await systemClock.sleep(LOOK_MS);
  }
}

/** A rate of transactions that were refused would be none. @throws when any is missing */
export async function mustHaveCompleted(chain: Rig["chain"], wanted: number): Promise<void> {
  const events = await chain.anvil.events(chain.facts);
  const completed = events.filter(({ name }) => name === "ActivityCompleted").length;
  if (completed !== wanted) throw new Error(`${completed} of ${wanted} activities were completed`);
}
