export interface Fees {
  readonly maxFeePerGasWei: bigint;
  readonly maxPriorityFeePerGasWei: bigint;
}

/** The cap outlives five full blocks in a row, each of which raises the base fee by an eighth. */
export function initialFees(baseFeePerGasWei: bigint, tipWei: bigint): Fees {
  return { maxFeePerGasWei: tipWei + 2n * baseFeePerGasWei, maxPriorityFeePerGasWei: tipWei };
}

/**
 * Fees for a replacement: at least `bumpPercent` above the last attempt on both,
 * rounded up (nodes refuse less than 10), and never below the present market.
 */
export function bumpedFees(last: Fees, market: Fees, bumpPercent: number): Fees {
  const bump = (wei: bigint) => (wei * BigInt(100 + bumpPercent) + 99n) / 100n;
  const max = (a: bigint, b: bigint) => (a > b ? a : b);
  return {
    maxFeePerGasWei: max(bump(last.maxFeePerGasWei), market.maxFeePerGasWei),
    maxPriorityFeePerGasWei: max(bump(last.maxPriorityFeePerGasWei), market.maxPriorityFeePerGasWei),
  };
}
