import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bumpedFees, type Fees, initialFees } from "./fees.ts";

const GWEI = 1_000_000_000n;
const wei = fc.bigInt({ min: 0n, max: 2n ** 80n });
const fees: fc.Arbitrary<Fees> = fc
  .tuple(wei, wei)
  .map(([base, tip]) => ({ maxFeePerGasWei: base + tip, maxPriorityFeePerGasWei: tip }));
const percent = fc.integer({ min: 10, max: 200 });

describe("bumped fees", () => {
  it("are at least N percent above the last attempt on both, whatever the market says", () => {
    fc.assert(
      fc.property(fees, fees, percent, (last, market, bumpPercent) => {
        const next = bumpedFees(last, market, bumpPercent);
        const least = BigInt(100 + bumpPercent);
        expect(next.maxFeePerGasWei * 100n >= last.maxFeePerGasWei * least).toBe(true);
        expect(next.maxPriorityFeePerGasWei * 100n >= last.maxPriorityFeePerGasWei * least).toBe(true);
      }),
    );
  });

  it("are never below the market, and no higher than one of the two asks for", () => {
    fc.assert(
      fc.property(fees, fees, percent, (last, market, bumpPercent) => {
        const next = bumpedFees(last, market, bumpPercent);
        for (const key of ["maxFeePerGasWei", "maxPriorityFeePerGasWei"] as const) {
          expect(next[key] >= market[key]).toBe(true);
          const isRoundedUpOnce = (next[key] - 1n) * 100n < last[key] * BigInt(100 + bumpPercent);
          expect(next[key] === market[key] || isRoundedUpOnce).toBe(true);
        }
      }),
    );
  });

  it("never have a tip above the cap, which no node takes", () => {
    fc.assert(
      fc.property(fees, fees, percent, (last, market, bumpPercent) => {
        const next = bumpedFees(last, market, bumpPercent);
        expect(next.maxPriorityFeePerGasWei <= next.maxFeePerGasWei).toBe(true);
      }),
    );
  });

  it("are rounded up, since one wei short of 10 percent is refused", () => {
    const none = { maxFeePerGasWei: 0n, maxPriorityFeePerGasWei: 0n };
    expect(bumpedFees({ maxFeePerGasWei: 11n, maxPriorityFeePerGasWei: 1n }, none, 10)).toEqual({
      maxFeePerGasWei: 13n,
      maxPriorityFeePerGasWei: 2n,
    });
  });
});

describe("the first fees", () => {
  it("cover five blocks in a row that are full", () => {
    const base = 30n * GWEI;
    const { maxFeePerGasWei, maxPriorityFeePerGasWei } = initialFees(base, GWEI);
    expect(maxPriorityFeePerGasWei).toBe(GWEI);
    let rising = base;
    for (let block = 0; block < 5; block += 1) rising += rising / 8n;
    expect(maxFeePerGasWei >= rising + GWEI).toBe(true);
  });
});
