/** What an attempt pays per gas. On a chain without EIP-1559 both are the gas price, and `isLegacy` is set. */
export interface Fees {
  readonly maxFeePerGasWei: bigint;
  readonly maxPriorityFeePerGasWei: bigint;
  readonly isLegacy?: boolean;
}

/** What the chain asks for at present. */
export type FeeMarket =
  | {
      readonly kind: "dynamic";
      /** Base fee of the next block. */
      readonly baseFeePerGasWei: bigint;
      /** What recent blocks were tipped: the median over eth_feeHistory, or eth_maxPriorityFeePerGas without one. */
      readonly tipWei: bigint;
    }
  /** A chain without EIP-1559: type-0 transactions. */
  | { readonly kind: "legacy"; readonly gasPriceWei: bigint };

/** The cap of tip + 2 x base fee outlives five full blocks in a row, each of which raises the base fee by an eighth. */
export function initialFees(market: FeeMarket): Fees {
  if (market.kind === "legacy") {
    return {
      maxFeePerGasWei: market.gasPriceWei,
      maxPriorityFeePerGasWei: market.gasPriceWei,
      isLegacy: true,
    };
  }
  const { baseFeePerGasWei, tipWei } = market;
  return { maxFeePerGasWei: tipWei + 2n * baseFeePerGasWei, maxPriorityFeePerGasWei: tipWei };
}

/**
 * Fees for a replacement: at least `bumpPercent` above the last attempt on both,
 * rounded up (nodes refuse less than 10), and never below the present market.
 */
export function bumpedFees(last: Fees, market: FeeMarket, bumpPercent: number): Fees {
  const now = initialFees(market);
  const bump = (wei: bigint) => (wei * BigInt(100 + bumpPercent) + 99n) / 100n;
  const max = (a: bigint, b: bigint) => (a > b ? a : b);
  return {
    ...now,
    maxFeePerGasWei: max(bump(last.maxFeePerGasWei), now.maxFeePerGasWei),
    maxPriorityFeePerGasWei: max(bump(last.maxPriorityFeePerGasWei), now.maxPriorityFeePerGasWei),
  };
}
