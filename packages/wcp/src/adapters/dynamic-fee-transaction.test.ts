import { Transaction } from "ethers";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { createLocalSigner } from "./signer.ts";

const KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString("hex")}`;
const wei = fc.bigInt({ min: 0n, max: 2n ** 100n });

it("a type-2 transaction is, byte for byte, what ethers makes of it", async () => {
  const request = fc.record({
    nonce: fc.nat(),
    to: fc.uint8Array({ minLength: 20, maxLength: 20 }).map(hex),
    data: fc.uint8Array({ maxLength: 300 }).map(hex),
    gasLimit: fc.bigInt({ min: 0n, max: 2n ** 63n }),
    fees: fc.record({ maxFeePerGasWei: wei, maxPriorityFeePerGasWei: wei }),
  });
  await fc.assert(
    fc.asyncProperty(request, fc.bigInt({ min: 1n, max: 2n ** 53n }), async (wanted, chainId) => {
      // ethers refuses a tip above the cap, as nodes do; that is the lane's to see to.
      const { maxFeePerGasWei: cap, maxPriorityFeePerGasWei: tip } = wanted.fees;
      const fees = { maxFeePerGasWei: cap, maxPriorityFeePerGasWei: tip < cap ? tip : cap };
      const { raw, txHash } = await createLocalSigner(KEY, chainId).sign({ ...wanted, fees });
      const tx = Transaction.from(raw);
      expect(tx.serialized).toBe(raw);
      expect(tx.hash).toBe(txHash);
      expect({
        nonce: tx.nonce,
        to: tx.to?.toLowerCase(),
        data: tx.data,
        gasLimit: tx.gasLimit,
        fees: { maxFeePerGasWei: tx.maxFeePerGas, maxPriorityFeePerGasWei: tx.maxPriorityFeePerGas },
        chainId: tx.chainId,
      }).toEqual({ ...wanted, fees, chainId });
    }),
  );
});
