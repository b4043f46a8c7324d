import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { generateModules } from "../scripts/_solidity.ts";
import { taskQueueInterface } from "../src/index.ts";

const GEN = new URL("../src/gen/", import.meta.url);

it("src/gen is what the Solidity sources compile to (else run `pnpm compile` in this package)", () => {
  const generated = generateModules();
  expect(readdirSync(GEN).sort()).toEqual([...generated.keys()].sort());
  for (const [file, text] of generated) {
    expect(readFileSync(new URL(file, GEN), "utf8") === text, `src/gen/${file} is up to date`).toBe(true);
  }
});

it("the activity tuple and the functions are those of the deployed contracts", () => {
  const activity =
    "(bytes32 activityId, bytes32 workflowInstanceId, address activityType, bytes inputData, bytes initData, " +
    "bytes resultData, uint256 createdAt, uint256 expiresAt, address requester, address assignedWorker, " +
    "uint256 assignedAt, uint256 lastHeartbeat, uint8 progress, bool isAssigned, bool isCompleted, bool success)";
  const signatures = ["pollActivity", "claimActivity", "getActivity", "getWorkerActivities"].map((name) =>
    taskQueueInterface.getFunction(name)?.format("full"),
  );
  expect(signatures).toEqual([
    `function pollActivity(string queueName, uint16 partitionId) view returns (${activity} activity, bool hasActivity)`,
    "function claimActivity(bytes32 activityId) returns (bool)",
    `function getActivity(bytes32 activityId) view returns (${activity})`,
    "function getWorkerActivities(address worker) view returns (bytes32[] activityIds)",
  ]);
});
