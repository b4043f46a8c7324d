import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bumpedFees, type FeeMarket, type Fees, initialFees } from "./fees.ts";

const GWEI = 1_000_000_000n;
const KEYS = ["maxFeePerGasWei", "maxPriorityFeePerGasWei"] as const;
const wei = fc.bigInt({ min: 0n, max: 2n ** 80n });
const dynamicFees: fc.Arbitrary<Fees> = fc
  .tuple(wei, wei)
  .map(([base, tip]) => ({ maxFeePerGasWei: base + tip, maxPriorityFeePerGasWei: tip }));
const dynamic: fc.Arbitrary<FeeMarket> = fc.record({
  kind: fc.constant("dynamic" as const),
  baseFeePerGasWei: wei,
  tipWei: wei,
});
const legacy: fc.Arbitrary<FeeMarket> = fc.record({ kind: fc.constant("legacy" as const), gasPriceWei: wei });
const legacyFees = wei.map((price): Fees => ({
  maxFeePerGasWei: price,
  maxPriorityFeePerGasWei: price,
  isLegacy: true,
}));
/** What was offered last, and the market of the same kind of chain. */
const situation: fc.Arbitrary<readonly [Fees, FeeMarket]> = fc.oneof(
  fc.tuple(dynamicFees, dynamic),
  fc.tuple(legacyFees, legacy),
);
const percent = fc.integer({ min: 10, max: 200 });

describe("bumped fees", () => {
  it("are at least N percent above the last attempt on both, whatever the market says", () => {
    fc.assert(
      fc.property(situation, percent, ([last, market], bumpPercent) => {
        const next = bumpedFees(last, market, bumpPercent);
        const least = BigInt(100 + bumpPercent);
        for (const key of KEYS) expect(next[key] * 100n >= last[key] * least).toBe(true);
      }),
    );
  });

  it("are never below the market, and no higher than one of the two asks for", () => {
    fc.assert(
      fc.property(situation, percent, ([last, market], bumpPercent) => {
        const next = bumpedFees(last, market, bumpPercent);
        const now = initialFees(market);
        for (const key of KEYS) {
          expect(next[key] >= now[key]).toBe(true);
          const isRoundedUpOnce = (next[key] - 1n) * 100n < last[key] * BigInt(100 + bumpPercent);
          expect(next[key] === now[key] || isRoundedUpOnce).toBe(true);
        }
      }),
    );
  });

  it("never have a tip above the cap, which no node takes", () => {
    fc.assert(
      fc.property(situation, percent, ([last, market], bumpPercent) => {
        const next = bumpedFees(last, market, bumpPercent);
        expect(next.maxPriorityFeePerGasWei <= next.maxFeePerGasWei).toBe(true);
      }),
    );
  });

  it("are rounded up, since one wei short of 10 percent is refused", () => {
    const none: FeeMarket = { kind: "dynamic", baseFeePerGasWei: 0n, tipWei: 0n };
    expect(bumpedFees({ maxFeePerGasWei: 11n, maxPriorityFeePerGasWei: 1n }, none, 10)).toEqual({
      maxFeePerGasWei: 13n,
      maxPriorityFeePerGasWei: 2n,
    });
  });

  it("stay one gas price on a chain without EIP-1559", () => {
    fc.assert(
      fc.property(legacyFees, legacy, percent, (last, market, bumpPercent) => {
        const next = bumpedFees(last, market, bumpPercent);
        expect(next.isLegacy).toBe(true);
        expect(next.maxPriorityFeePerGasWei).toBe(next.maxFeePerGasWei);
      }),
    );
  });
});

describe("the first fees", () => {
  it("cover five blocks in a row that are full", () => {
    const base = 30n * GWEI;
    const first = initialFees({ kind: "dynamic", baseFeePerGasWei: base, tipWei: GWEI });
    expect(first.maxPriorityFeePerGasWei).toBe(GWEI);
    expect(first.isLegacy).toBeUndefined();
    let rising = base;
    for (let block = 0; block < 5; block += 1) rising += rising / 8n;
    expect(first.maxFeePerGasWei >= rising + GWEI).toBe(true);
  });

  it("are the gas price on a chain without EIP-1559", () => {
    expect(initialFees({ kind: "legacy", gasPriceWei: 7n * GWEI })).toEqual({
      maxFeePerGasWei: 7n * GWEI,
      maxPriorityFeePerGasWei: 7n * GWEI,
      isLegacy: true,
    });
  });
});
