import { FakeClock } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { Cooldown } from "./cooldown.ts";

it("a task cools down for the length from when it last began, whatever else begins meanwhile", async () => {
  const step = fc.record({ id: fc.constantFrom("a", "b", "c"), ms: fc.nat(60) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const clock = new FakeClock();
      const cooldown = new Cooldown(50, { clock });
      const beganMs = new Map<string, number>();
      for (const { id, ms } of steps) {
        await clock.advance(ms);
        for (const each of ["a", "b", "c", "never"]) {
          const ageMs = clock.monotonicMs() - (beganMs.get(each) ?? Number.NEGATIVE_INFINITY);
          expect(cooldown.isOver(each)).toBe(ageMs >= 50);
        }
        cooldown.begin(id);
        beganMs.set(id, clock.monotonicMs());
      }
    }),
  );
});
