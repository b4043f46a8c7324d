import type { Reorg } from "./_chaos-plan.ts";
import type { TaskChain } from "./_task-chain.ts";
import { until } from "./_until.ts";

/**
 * Replaces the newest blocks. Of their transactions the first `keptShare` are in the
 * new ones, in their order, and the rest is nowhere, nor is what waited in the pool:
 * anvil forgets both, and moves its clock back to the last block that stays.
 *
 * @returns how many are in no block any more
 */
export async function reorgChain(
  chain: TaskChain,
  { depth, keptShare }: Omit<Reorg, "afterMs">,
): Promise<number> {
  const seen = await chain.head();
  // Right behind a block, or the next would come between the look and the deed.
  const head = await until("a new block", async () => {
    const now = await chain.head();
    return now > seen ? now : undefined;
  });
  const hashes: string[] = [];
  for (let block = head - depth + 1; block <= head; block += 1) {
    const { transactions } = (await chain.anvil.rpc("eth_getBlockByNumber", [
      `0x${block.toString(16)}`,
      false,
    ])) as { readonly transactions: readonly string[] };
    hashes.push(...transactions);
  }
  const kept = hashes.slice(0, Math.floor(hashes.length * keptShare));
  const raws = await Promise.all(kept.map((hash) => chain.anvil.rpc("eth_getRawTransactionByHash", [hash])));
  const pairs = raws.map((raw, index) => [raw, Math.floor((index * depth) / raws.length)]);
  await chain.anvil.rpc("anvil_reorg", [depth, pairs]);
  return hashes.length - kept.length;
}
