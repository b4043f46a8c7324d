/** A receipt as the node's JSON has it. */
export interface RawReceipt {
  readonly status: string;
  readonly gasUsed: string;
  readonly blockNumber: string;
  readonly logs: readonly { readonly address: string; readonly topics: string[]; readonly data: string }[];
}

type Ask = (method: string, params: readonly unknown[]) => Promise<unknown>;

/** A transaction's receipt, once a block has it: anvil accepts one first and mines it in its own time. */
export async function receiptOf(ask: Ask, txHash: unknown): Promise<RawReceipt> {
  for (;;) {
    const receipt = await ask("eth_getTransactionReceipt", [txHash]);
    if (receipt !== null) return receipt as RawReceipt;
  }
}

/** As {@link receiptOf}. @throws when the transaction reverted */
export async function minedBy(ask: Ask, txHash: unknown): Promise<RawReceipt> {
  const receipt = await receiptOf(ask, txHash);
  if (receipt.status !== "0x1") throw new Error(`transaction ${String(txHash)} reverted`);
  return receipt;
}
