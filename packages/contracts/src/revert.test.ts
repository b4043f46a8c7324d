import { AbiCoder, id, type Interface, type ParamType } from "ethers";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  batchExecutorInterface,
  multicall3Interface,
  subnetControlPlaneInterface,
  taskQueueInterface,
  workflowEngineInterface,
} from "./interfaces.ts";
import { decodeContractError } from "./revert.ts";

const ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const SAMPLES: Readonly<Record<string, unknown>> = {
  address: ADDRESS,
  bytes32: id("sample"),
  string: "audio/1.0.0",
};

function sampleOf(input: ParamType): unknown {
  return SAMPLES[input.type] ?? 2n;
}

const allErrors = [
  batchExecutorInterface,
  taskQueueInterface,
  workflowEngineInterface,
  subnetControlPlaneInterface,
  multicall3Interface,
].flatMap((contract: Interface) => {
  const encoded: { name: string; names: string[]; data: string }[] = [];
  contract.forEachError((fragment) => {
    const data = contract.encodeErrorResult(fragment, fragment.inputs.map(sampleOf));
    encoded.push({ name: fragment.name, names: fragment.inputs.map(({ name }) => name), data });
  });
  return encoded;
});

describe("every custom error of the contracts", () => {
  it.each(allErrors)(
    "$name becomes a sentence with its arguments and what to do",
    ({ name, names, data }) => {
      const revert = decodeContractError(data);
      expect(revert?.name).toBe(name);
      expect(Object.keys(revert?.args ?? {})).toEqual(names);
      expect(revert?.message).not.toBe(name);
      expect(revert?.message).not.toMatch(/undefined|[{}]/);
      expect(revert?.message).toMatch(/^[a-z].+: .+/);
    },
  );
});

describe("reading a revert", () => {
  const encode = (selector: string, type: string, value: unknown) =>
    selector + AbiCoder.defaultAbiCoder().encode([type], [value]).slice(2);

  it("shows times as dates and the zero address as nobody", () => {
    const claimed = taskQueueInterface.encodeErrorResult("ActivityAlreadyClaimed", [
      id("a"),
      ADDRESS,
      1_700_000_000n,
    ]);
    expect(decodeContractError(claimed)).toEqual({
      name: "ActivityAlreadyClaimed",
      args: { activityId: id("a"), worker: ADDRESS, expiresAt: 1_700_000_000n },
      message: `activity ${id("a")} is held by worker ${ADDRESS} until 2023-11-14T22:13:20.000Z: take another`,
    });
    const nobody = [id("a"), `0x${"00".repeat(20)}`, ADDRESS];
    const unassigned = taskQueueInterface.encodeErrorResult("NotAssignedWorker", nobody);
    expect(decodeContractError(unassigned)?.message).toContain("is assigned to nobody");
  });

  it("survives a time beyond what a date can be", () => {
    const far = taskQueueInterface.encodeErrorResult("LeaseNotExpired", [id("a"), 2n ** 256n - 1n, 0n]);
    expect(decodeContractError(far)?.message).toMatch(/valid until \d+ s/);
  });

  it("understands Error(string) and Panic(uint256)", () => {
    expect(decodeContractError(encode("0x08c379a0", "string", "Multicall3: call failed"))).toEqual({
      name: "Error",
      args: { message: "Multicall3: call failed" },
      message: "Multicall3: call failed",
    });
    expect(decodeContractError(encode("0x4e487b71", "uint256", 0x11n))).toEqual({
      name: "Panic",
      args: { code: 17n },
      message: "the contract panicked: arithmetic overflow or underflow",
    });
    expect(decodeContractError(encode("0x4e487b71", "uint256", 0x99n))?.message).toBe(
      "the contract panicked: code 153",
    );
  });

  it("answers undefined to no data, to another contract's error and to arguments that do not fit", () => {
    for (const data of [
      "",
      "0x",
      "0x1234",
      "0xdeadbeef",
      "0x08c379a0",
      "0x3f11087b00",
      "not hex",
      "0xzzzzzzzz",
    ]) {
      expect(decodeContractError(data), data).toBeUndefined();
    }
  });

  it("never throws, whatever the node answers", () => {
    const selectors = fc.constantFrom(
      ...allErrors.map(({ data }) => data.slice(0, 10)),
      "0x08c379a0",
      "0x4e487b71",
    );
    const tail = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("hex"));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(selectors, tail).map((parts) => parts.join("")),
        ),
        (data) => {
          const revert = decodeContractError(data);
          return revert === undefined || revert.message.length >= 0;
        },
      ),
    );
  });
});
