import { expect, it } from "vitest";
import { taskQueueInterface } from "./interfaces.ts";
import { taskQueueReads, workflowEngineReads } from "./reads.ts";

const ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

it("a read names the contract, carries the call, and decodes the answer", () => {
  const read = taskQueueReads(ADDRESS).leaseDurationS();
  expect(read.to).toBe(ADDRESS);
  expect(read.data).toBe(taskQueueInterface.encodeFunctionData("leaseDurationS"));
  expect(read.decode(taskQueueInterface.encodeFunctionResult("leaseDurationS", [600n]))).toBe(600);
});

it("an answer that is none names the address and the function, and says what to check", () => {
  for (const answer of ["0x", "0x1234", `0x${"ff".repeat(64)}`]) {
    const read = taskQueueReads(ADDRESS).pollActivity("audio/1.0.0/processing", 0);
    let error: unknown;
    try {
      read.decode(answer);
    } catch (cause) {
      error = cause;
    }
    expect(error, answer).toMatchObject({
      code: "BAD_ANSWER",
      message: `[BAD_ANSWER] ${ADDRESS} gave no valid answer to pollActivity: check that this is the right address on the right chain`,
    });
  }
});

it("a status that this version does not know is refused, not guessed", () => {
  const read = workflowEngineReads(ADDRESS).getStepStatus(`0x${"00".repeat(32)}`, 0);
  expect(read.decode(`0x${"4".padStart(64, "0")}`)).toBe("skipped");
  expect(() => read.decode(`0x${"5".padStart(64, "0")}`)).toThrow("status 5 is newer");
});
