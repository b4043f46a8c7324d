import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawGraph, drawModule, EXIT } from "../../tests/_flow-graphs.ts";
import type { ModuleShape } from "./flow-graph.ts";
import { findFaults } from "../../tests/_stack-judge.ts";
import { planModule } from "./plan.ts";

const LEAD_BYTES = 512;

/** A module of functions that call these, each with a way out that calls nothing. */
function callers(
  calls: readonly (readonly number[])[],
  options: Parameters<typeof drawModule>[1] = {},
): ModuleShape {
  const graphs = calls.map((callees) =>
    drawGraph([
      { cost: 2, to: [1, 2] },
      { cost: 2, to: [EXIT], calls: callees },
      { cost: 1, to: [EXIT] },
    ]),
  );
  return drawModule(graphs, options);
}

describe("the stack", () => {
  test("functions that are not on a cycle of calls do not count, and do not carry it", () => {
    const plans = planModule(callers([[1, 2], [2], []]));
    expect(plans.map((plan) => plan.stackBytes)).toEqual([0, 0, 0]);
    expect(plans.map((plan) => plan.carriesStack)).toEqual([false, false, false]);
  });

  test("a function that calls itself takes its frame, and who calls it hands it the stack", () => {
    const plans = planModule(callers([[1], [1, 2], []], { frameBytes: [100, 200, 400] }));
    expect(plans.map((plan) => plan.stackBytes)).toEqual([0, 200, 0]);
    expect(plans.map((plan) => plan.carriesStack)).toEqual([true, true, false]);
    expect(plans.map((plan) => plan.needsWrapper)).toEqual([true, false, false]);
  });

  test("of two functions that call each other one counts, and takes both frames", () => {
    const plans = planModule(callers([[1], [2], [1]], { frameBytes: [100, 200, 300] }));
    expect(plans.map((plan) => plan.stackBytes).filter((bytes) => bytes > 0)).toEqual([500]);
  });

  test("an indirect call may be one of any visible function of its type", () => {
    const options = { visible: [0, 1], typeOf: [7, 8, 8], indirectTypes: [[], [], [8]] };
    const plans = planModule(callers([[], [2], []], options));
    expect(plans.map((plan) => plan.carriesStack)).toEqual([false, true, true]);
    const other = planModule(callers([[], [2], []], { ...options, indirectTypes: [[], [], [7]] }));
    expect(other.map((plan) => plan.carriesStack)).toEqual([false, false, false]);
  });

  test("an import may call back only where that is said", () => {
    const calls = [[0], [2]]; // function 0 calls the import, 1 calls itself not
    const options = { imports: 1, visible: [0] };
    expect(planModule(callers(calls, options))[0]?.stackBytes).toBe(0);
    expect(planModule(callers(calls, { ...options, mayReenter: true }))[0]?.stackBytes).toBeGreaterThan(0);
  });

  test("of code that panics on many cycles, what panics counts and not what calls it", () => {
    const panic = drawGraph([{ cost: 1, calls: [2] }]);
    const caller = (callee: number): ReturnType<typeof drawGraph> =>
      drawGraph([
        { cost: 2, to: [1, 2] },
        { cost: 2, calls: [callee] },
        { cost: 1, to: [EXIT] },
      ]);
    const plans = planModule(drawModule([caller(1), panic, caller(1)]));
    expect(plans.map((plan) => plan.stackBytes > 0)).toEqual([false, true, false]);
  });

  test("a function of more than 4 KiB counts, and chains are broken where they weigh more", () => {
    const heavy = planModule(callers([[1], []], { frameBytes: [100, 5000] }));
    expect(heavy.map((plan) => plan.stackBytes)).toEqual([0, 5000]);
    const chain = planModule(callers([[1], [2], [3], []], { frameBytes: [1500, 1500, 1500, 1500] }));
    expect(chain.filter((plan) => plan.stackBytes > 0)).toHaveLength(1);
  });

  test("what recursive code calls beside is not taken again on each of its calls", () => {
    // 1 calls itself, and through 2 and 3, 900 bytes together, 4, which calls itself too.
    const plans = planModule(
      callers([[1], [1, 2], [3], [4], [4]], { frameBytes: [100, 100, 450, 450, 100] }),
    );
    expect(plans[1]?.stackBytes).toBeLessThanOrEqual(100 + LEAD_BYTES);
  });

  test("any module: each cycle counts, chains stay light, whoever needs the stack has it", () => {
    const count = 7;
    const list = fc.array(fc.integer({ min: 0, max: count }), { maxLength: 3 });
    const arbitrary = fc.record({
      calls: fc.array(list, { minLength: count, maxLength: count }),
      frameBytes: fc.array(fc.oneof(fc.integer({ min: 64, max: 600 }), fc.integer({ min: 64, max: 6000 })), {
        minLength: count,
        maxLength: count,
      }),
      typeOf: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: count, maxLength: count }),
      indirectTypes: fc.array(fc.subarray([0, 1, 2, 3, 4], { maxLength: 1 }), {
        minLength: count,
        maxLength: count,
      }),
      visible: fc.subarray(
        Array.from({ length: count }, (_, own) => own),
        { maxLength: 3 },
      ),
      mayReenter: fc.boolean(),
    });
    fc.assert(
      fc.property(arbitrary, ({ calls, ...options }) => {
        expect(findFaults(callers(calls, { ...options, imports: 1 }))).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });
});
