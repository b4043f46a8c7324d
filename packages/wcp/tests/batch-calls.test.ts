import { batchExecutorInterface } from "@subnet-worker/contracts";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { encodeCalls } from "../src/adapters/evm/batch-calls.ts";

const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString("hex")}`;
const call = fc.record({
  to: fc.uint8Array({ minLength: 20, maxLength: 20 }).map(hex),
  gas: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  data: fc.uint8Array({ maxLength: 100 }).map(hex),
});

it("calls are encoded as ethers' own coder encodes them", () => {
  const selector = batchExecutorInterface.getFunction("execute")?.selector ?? "";
  fc.assert(
    fc.property(fc.array(call, { maxLength: 8 }), (calls) => {
      const tuples = calls.map(({ to, gas, data }) => [to, gas, data]);
      expect(encodeCalls(selector, calls)).toBe(
        batchExecutorInterface.encodeFunctionData("execute", [tuples]),
      );
    }),
  );
});
