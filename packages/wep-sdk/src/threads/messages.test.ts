import { create } from "@bufbuild/protobuf";
import { TaskAssignmentSchema } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { portable, transferOf } from "./messages.ts";

const message = new Uint8Array(1_000_000).fill(7);
const small = message.subarray(10, 20);
const large = message.subarray(100, 100_100);

describe("an assignment that is posted", () => {
  const assignment = create(TaskAssignmentSchema, {
    activityId: "a",
    deadlineUnixMs: 5n,
    metadata: { tenant_id: "t" },
    inputs: [
      { name: "small", inlineBytes: small },
      { name: "large", inlineBytes: large },
    ],
    workflowInputs: [{ name: "seed", inlineJson: "7" }],
  });

  it("has its bytes to itself, the large ones to be handed over", () => {
    const packed = portable(assignment);
    const [first, second] = packed.assignment.inputs;
    expect(first?.inlineBytes.buffer.byteLength).toBe(10);
    expect(packed.transfer).toEqual([second?.inlineBytes.buffer]);
    expect(structuredClone(packed.assignment, { transfer: packed.transfer })).toMatchObject({
      activityId: "a",
      deadlineUnixMs: 5n,
      metadata: { tenant_id: "t" },
      inputs: [{ inlineBytes: small.slice() }, { inlineBytes: large.slice() }],
      workflowInputs: [{ inlineJson: "7" }],
    });
  });

  it("leaves the one that came as it was", () => {
    const packed = portable(assignment);
    structuredClone(packed.assignment, { transfer: packed.transfer });
    expect(assignment.inputs[1]?.inlineBytes).toBe(large);
    expect(large.byteLength).toBe(100_000);
  });
});

describe("a result", () => {
  it.each([
    ["is handed over when it is large", new Uint8Array(100_000), 1],
    ["is cloned when it is small", new Uint8Array(100), 0],
    ["is cloned when it is a part of something", large, 0],
  ])("%s", (_, result, count) => {
    expect(transferOf({ status: "SUCCESS", result })).toHaveLength(count);
  });
});
