import { Transaction } from "ethers";
import { describe, expect, it } from "vitest";
import { createLocalSigner } from "./signer.ts";

const KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const REQUEST = {
  nonce: 7,
  to: `0x${"c0".repeat(20)}`,
  data: "0xc1a1",
  gasLimit: 65_000n,
  fees: { maxFeePerGasWei: 21n * 10n ** 9n, maxPriorityFeePerGasWei: 10n ** 9n },
};

describe("a local signer", () => {
  it.each([KEY, `0x${KEY}`, `0x${KEY.toUpperCase()}`])("has the address of its key", (key) => {
    expect(createLocalSigner(key, 31_337n).address).toBe(ADDRESS);
  });

  it("signs a transaction that says what was asked for, by this wallet on this chain", async () => {
    const { raw, txHash } = await createLocalSigner(KEY, 31_337n).sign(REQUEST);
    const tx = Transaction.from(raw);
    expect(tx).toMatchObject({
      type: 2,
      chainId: 31_337n,
      nonce: 7,
      data: "0xc1a1",
      gasLimit: 65_000n,
      maxFeePerGas: 21n * 10n ** 9n,
      maxPriorityFeePerGas: 10n ** 9n,
      value: 0n,
      from: ADDRESS,
    });
    expect(tx.hash).toBe(txHash);
  });

  it("gives the same bytes for the same request, so that a resend is one", async () => {
    const signer = createLocalSigner(KEY, 31_337n);
    expect(await signer.sign(REQUEST)).toEqual(await signer.sign(REQUEST));
  });

  it.each(["", "0x", KEY.slice(1), `${KEY}0`, `g${KEY.slice(1)}`, `${KEY}\n`, "0".repeat(64)])(
    "refuses what is no key without repeating it: %j",
    (key) => {
      expect(() => createLocalSigner(key, 1n)).toThrow();
      try {
        createLocalSigner(key, 1n);
      } catch (error) {
        if (key.length > 8) expect(String((error as Error).stack)).not.toContain(key);
      }
    },
  );
});
