import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startStreamNet } from "./_stream-net.ts";

const IDLE_HANDLERS = fileURLToPath(new URL("fixtures/idle-handlers.ts", import.meta.url));

test("a run whose handler had nothing to do completes its activity, and both processes say so", async () => {
  await using net = await startStreamNet({ weps: 1, slots: 1, maxInflight: 1, handlers: IDLE_HANDLERS });
  const [seat] = net.seats;
  if (seat === undefined) throw new Error("there is no WEP");
  await Promise.all([seat.start(), net.startWcp()]);
  await net.wcp.untilReady();
  await net.requester.enqueue([
    { number: 1, durationMs: 0 },
    { number: 2, durationMs: 0 },
  ]);
  await net.untilCompleted(2);

  const ended = await seat.wep.find("the skipped run", (line) => line["status"] === "SKIPPED");
  expect(ended).toMatchObject({ msg: "run ended", reason: "1 is odd" });
  const told = await net.wcp.find("word of it", ({ msg }) => msg?.startsWith("the run was skipped") === true);
  expect(told).toMatchObject({ activity_id: ended.activity_id, run_id: ended.run_id });
  const skipped = net.wcp.lines().filter(({ msg }) => msg?.startsWith("the run was skipped"));
  expect(skipped).toHaveLength(1);
});
