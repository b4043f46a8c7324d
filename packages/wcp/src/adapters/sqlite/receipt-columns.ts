import type { Receipt } from "../../domain/transaction.ts";

/** The columns in which both tables keep a receipt. */
export interface ReceiptRow {
  readonly tx_hash: string | null;
  readonly block_number: number | null;
  readonly block_hash: string | null;
  readonly gas_used: string | null;
  readonly effective_gas_price_wei: string | null;
}

/** What {@link ReceiptRow} is written from. */
export interface ReceiptColumns {
  readonly txHash: string | null;
  readonly blockNumber: number | null;
  readonly blockHash: string | null;
  readonly gasUsed: string | null;
  readonly effectiveGasPriceWei: string | null;
}

export function receiptColumns(receipt: Receipt | undefined): ReceiptColumns {
  return {
    txHash: receipt?.txHash ?? null,
    blockNumber: receipt?.blockNumber ?? null,
    blockHash: receipt?.blockHash ?? null,
    gasUsed: receipt?.gasUsed.toString() ?? null,
    effectiveGasPriceWei: receipt?.effectiveGasPriceWei.toString() ?? null,
  };
}

export function toReceipt(row: ReceiptRow, succeeded: boolean): Receipt {
  return {
    txHash: row.tx_hash ?? "",
    blockNumber: row.block_number ?? 0,
    blockHash: row.block_hash ?? "",
    gasUsed: BigInt(row.gas_used ?? 0),
    effectiveGasPriceWei: BigInt(row.effective_gas_price_wei ?? 0),
    succeeded,
  };
}
