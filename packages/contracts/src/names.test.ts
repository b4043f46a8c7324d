import { getAddress, keccak256, toUtf8Bytes } from "ethers";
import { expect, it } from "vitest";
import { activityTypeAddress, queueNameOf, queueTopic } from "./names.ts";

it("an activity type is the last 20 bytes of the hash of workflow and activity id, checksummed", () => {
  const hash = keccak256(toUtf8Bytes("audio/1.0.0:audio_preprocess"));
  const address = activityTypeAddress("audio/1.0.0", "audio_preprocess");
  expect(address.toLowerCase()).toBe(`0x${hash.slice(-40)}`);
  expect(address).toBe(getAddress(address.toLowerCase()));
  // The value itself, so that no later version of this package names the same activity differently.
  expect(address).toMatchInlineSnapshot(`"0x4612ec95012e7d5db92Ac20A466307e8138aeBe6"`);
});

it("a queue is named after workflow and worker class, and filtered by the hash of its name", () => {
  expect(queueNameOf("audio/1.0.0", "processing")).toBe("audio/1.0.0/processing");
  expect(queueTopic("audio/1.0.0/processing")).toBe(keccak256(toUtf8Bytes("audio/1.0.0/processing")));
});
