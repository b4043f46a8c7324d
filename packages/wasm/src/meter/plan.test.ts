import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { at, type DrawnNode, drawGraph, drawModule, EXIT } from "../../tests/_flow-graphs.ts";
import { arbitraryModule, findFaults, freeCycleNodes, isStuck, Simulation } from "../../tests/_plan-judge.ts";
import type { FlowGraph } from "./flow-graph.ts";
import { planModule } from "./plan.ts";

/** Plan of a module's only function, as lists. */
function planOne(nodes: readonly DrawnNode[], mayCatch = false): { nodes: number[]; edges: number[] } {
  const plan = at(planModule(drawModule([drawGraph(nodes)], { mayCatch })), 0);
  return { nodes: [...plan.nodeCharge], edges: [...plan.edgeCharge] };
}

describe("charges of known shapes", () => {
  test("straight code is charged once, at the entry", () => {
    expect(
      planOne([
        { cost: 3, to: [1] },
        { cost: 4, to: [EXIT] },
      ]),
    ).toEqual({ nodes: [7, 0], edges: [0, 0] });
  });

  test("two branches: the cheaper is charged at the entry, what the other costs more is charged in it", () => {
    const plan = planOne([
      { cost: 2, to: [1, 2] },
      { cost: 5, to: [3] },
      { cost: 9, to: [3] },
      { cost: 1, to: [EXIT] },
    ]);
    expect(plan).toEqual({ nodes: [8, 0, 4, 0], edges: [0, 0, 0, 0, 0] });
  });

  test("a while loop is charged once for each time around, where it goes into the body", () => {
    const plan = planOne([
      { cost: 1, to: [1] },
      { cost: 4, to: [2, 3] },
      { cost: 6, to: [1] },
      { cost: 2, to: [EXIT] },
    ]);
    expect(plan).toEqual({ nodes: [7, 0, 10, 0], edges: [0, 0, 0, 0, 0] });
  });

  test("a do-while loop is charged once for each time around, on the way back", () => {
    const plan = planOne([
      { cost: 1, to: [1] },
      { cost: 8, to: [1, 2] },
      { cost: 2, to: [EXIT] },
    ]);
    expect(plan).toEqual({ nodes: [11, 0, 0], edges: [0, 8, 0, 0] });
  });

  test("branches in a loop: once for each time around, and a difference on the dearer branch", () => {
    const plan = planOne([
      { cost: 1, to: [1] },
      { cost: 3, to: [2, 6] },
      { cost: 2, to: [3, 4] },
      { cost: 5, to: [5] },
      { cost: 7, to: [5] },
      { cost: 1, to: [1] },
      { cost: 1, to: [EXIT] },
    ]);
    expect(plan.nodes).toEqual([5, 0, 11, 0, 2, 0, 0]);
    expect(plan.edges.every((charge) => charge === 0)).toBe(true);
  });

  test("a switch in a loop: its targets charge themselves, and nothing else in the loop does", () => {
    const plan = planOne([
      { cost: 1, to: [1] },
      { cost: 4, to: [2, 3, 4] },
      { cost: 5, to: [1], isLanding: true },
      { cost: 6, to: [1], isLanding: true },
      { cost: 2, to: [EXIT], isLanding: true },
    ]);
    expect(plan).toEqual({ nodes: [5, 0, 9, 10, 2], edges: [0, 0, 0, 0, 0, 0, 0] });
  });

  test("nested loops: each is charged once for each time around it", () => {
    const plan = planOne([
      { cost: 1, to: [1] },
      { cost: 2, to: [2, 5] },
      { cost: 3, to: [3] },
      { cost: 2, to: [4, 1] },
      { cost: 5, to: [3] },
      { cost: 1, to: [EXIT] },
    ]);
    // outer header 2 + into the inner loop 3 + its header 2, and the inner body 5 + 2
    expect(plan).toEqual({ nodes: [4, 0, 7, 0, 7, 0], edges: [0, 0, 0, 0, 0, 0, 0, 0] });
  });

  test("a path that panics pays for itself, and takes no charge to the others", () => {
    const plan = planOne([{ cost: 1, to: [1, 2] }, { cost: 2 }, { cost: 9, to: [EXIT] }]);
    expect(plan).toEqual({ nodes: [10, 2, 0], edges: [0, 0, 0] });
  });

  test("an endless loop is charged in each of its nodes", () => {
    expect(
      planOne([
        { cost: 1, to: [1] },
        { cost: 2, to: [2] },
        { cost: 3, to: [1] },
      ]),
    ).toEqual({
      nodes: [1, 2, 3],
      edges: [0, 0, 0],
    });
  });

  test("where exceptions may be caught, a throw is a way out like any other", () => {
    const plan = planOne([{ cost: 1, to: [1, 2] }, { cost: 2 }, { cost: 9, to: [EXIT] }], true);
    expect(plan).toEqual({ nodes: [3, 0, 7], edges: [0, 0, 0] });
  });
});

describe("calls", () => {
  const leaf = drawGraph([{ cost: 5, to: [EXIT] }]);

  test("a function that nobody unseen calls is paid for by its callers", () => {
    const caller = drawGraph([{ cost: 3, to: [EXIT], calls: [1, 1] }]);
    const plans = planModule(drawModule([caller, leaf]));
    expect(plans.map((plan) => plan.prepaid)).toEqual([0, 5]);
    expect(plans.map((plan) => plan.nodeCharge[0])).toEqual([13, 0]);
  });

  test("a visible function charges itself", () => {
    const caller = drawGraph([{ cost: 3, to: [EXIT], calls: [1] }]);
    const plans = planModule(drawModule([caller, leaf], { visible: [0, 1] }));
    expect(plans.map((plan) => plan.prepaid)).toEqual([0, 0]);
    expect(plans.map((plan) => plan.nodeCharge[0])).toEqual([3, 5]);
  });

  test("calls of imports cost what the operator costs", () => {
    const caller = drawGraph([{ cost: 3, to: [EXIT], calls: [0, 1] }]);
    const [plan] = planModule(drawModule([caller], { imports: 2 }));
    expect(plan?.nodeCharge[0]).toBe(3);
  });

  test("recursion: its way out is paid by the caller, its calls where it recurs", () => {
    const fib = drawGraph([
      { cost: 4, to: [1, 2] },
      { cost: 1, to: [EXIT] },
      { cost: 10, to: [EXIT], calls: [1, 1] },
    ]);
    const plans = planModule(drawModule([drawGraph([{ cost: 1, to: [EXIT], calls: [1] }]), fib]));
    expect(plans[1]?.prepaid).toBe(5);
    expect([...at(plans, 1).nodeCharge]).toEqual([0, 0, 10 + 2 * 5 - 1]);
    expect(at(plans, 0).prepaid + at(at(plans, 0).nodeCharge, 0)).toBe(6);
  });

  test("functions that double the work of the next stay within what numbers hold", () => {
    const count = 200;
    const graphs = Array.from({ length: count }, (_, own) =>
      drawGraph([{ cost: 1, to: [EXIT], calls: own + 1 < count ? [own + 1, own + 1] : [] }]),
    );
    const plans = planModule(drawModule(graphs));
    for (const [own, plan] of plans.entries()) {
      const paid = plan.prepaid + at(plan.nodeCharge, 0);
      expect(paid).toBe(1 + 2 * (plans[own + 1]?.prepaid ?? 0));
      expect(paid).toBeLessThan(2 ** 30);
    }
  });

  test("what follows a call that never returns takes no part", () => {
    const panic = drawGraph([{ cost: 1 }]);
    const panicTwice = drawGraph([{ cost: 2, to: [EXIT], calls: [1] }]);
    const caller = drawGraph([
      { cost: 1, to: [1, 2] },
      { cost: 1, to: [3], calls: [2] },
      { cost: 7, to: [3] },
      { cost: 1, to: [EXIT] },
    ]);
    const plans = planModule(drawModule([caller, panic, panicTwice]));
    expect(plans.map((plan) => plan.neverReturns)).toEqual([false, true, true]);
    expect([...at(plans, 0).nodeCharge]).toEqual([9, 1, 0, 0]);
    expect(plans[1]?.nodeCharge[0]).toBe(1);
    expect(plans[2]?.nodeCharge[0]).toBe(2);
  });

  test("functions that call each other without an end never return; with one way out all of them may", () => {
    const calls = (callee: number): FlowGraph => drawGraph([{ cost: 1, to: [EXIT], calls: [callee] }]);
    const endless = planModule(drawModule([calls(1), calls(2), calls(0)]));
    expect(endless.map((plan) => plan.neverReturns)).toEqual([true, true, true]);
    const wayOut = drawGraph([
      { cost: 1, to: [1, 2] },
      { cost: 1, to: [EXIT], calls: [0] },
      { cost: 1, to: [EXIT] },
    ]);
    const ending = planModule(drawModule([calls(1), calls(2), wayOut]));
    expect(ending.map((plan) => plan.neverReturns)).toEqual([false, false, false]);
  });

  test("where exceptions may be caught, nothing behind a call is charged ahead of it", () => {
    const caller = drawGraph([
      { cost: 2, to: [1], calls: [1] },
      { cost: 9, to: [EXIT], isLanding: true },
    ]);
    const plans = planModule(drawModule([caller, leaf], { mayCatch: true }));
    expect([...at(plans, 0).nodeCharge]).toEqual([2 + 5, 9]);
  });
});

describe("charges of any graph", () => {
  test.each([false, true])(
    "every way pays what it costs, and never ahead of what is certain (catching: %s)",
    (mayCatch) => {
      fc.assert(
        fc.property(arbitraryModule(mayCatch), (shape) => {
          expect(findFaults(shape, planModule(shape))).toEqual([]);
        }),
        { numRuns: 300 },
      );
    },
  );

  test.each([false, true])("a run that ends has paid what its operators cost (catching: %s)", (mayCatch) => {
    let completed = 0;
    fc.assert(
      fc.property(arbitraryModule(mayCatch), fc.infiniteStream(fc.nat(1000)), (shape, dice) => {
        const run = new Simulation(shape, planModule(shape), dice);
        if (run.call(0, false) !== "stopped") {
          completed += 1;
          expect(run.charged).toBe(run.spent);
        }
      }),
      { numRuns: 1000 },
    );
    expect(completed).toBeGreaterThan(50);
  });

  test("what cannot be left has a charge on every way around", () => {
    fc.assert(
      fc.property(arbitraryModule(false), (shape) => {
        const plans = planModule(shape);
        for (const [own, graph] of shape.graphs.entries()) {
          expect(
            freeCycleNodes(graph, at(plans, own), (node) => isStuck(shape, plans, { own, node })),
          ).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** Far above what they take, far below what anything but linear would. */
const MAX_MS = 30_000;

describe("hostile modules", () => {
  test("100,000 functions that call each other in a chain", () => {
    const count = 100_000;
    const graphs = Array.from({ length: count }, (_, own) =>
      drawGraph([{ cost: 2, to: [EXIT], calls: own + 1 < count ? [own + 1] : [] }]),
    );
    const startedMs = performance.now();
    const plans = planModule(drawModule(graphs));
    expect(performance.now() - startedMs).toBeLessThan(MAX_MS);
    expect(at(plans, 0).prepaid + at(at(plans, 0).nodeCharge, 0)).toBe(2 * count);
  });

  test("a chain of 100,000 functions at whose end one calls the first", () => {
    const count = 100_000;
    const graphs = Array.from({ length: count }, (_, own) =>
      drawGraph([
        { cost: 2, to: [1, 2] },
        { cost: 2, to: [EXIT], calls: [(own + 1) % count] },
        { cost: 1, to: [EXIT] },
      ]),
    );
    const startedMs = performance.now();
    const plans = planModule(drawModule(graphs));
    expect(performance.now() - startedMs).toBeLessThan(MAX_MS);
    expect(plans.some((plan) => plan.stackBytes > 0)).toBe(true);
    expect(plans.every((plan) => plan.carriesStack)).toBe(true);
  });

  test("a function of 1,000,000 nodes whose way out is behind as many jumps back", () => {
    const count = 1_000_000;
    // The entry goes to the last node; each goes to the one before it, and node 1 out.
    const graph: FlowGraph = {
      nodeCount: count,
      cost: new Uint32Array(count).fill(1),
      firstEdge: Uint32Array.from({ length: count + 1 }, (_, node) => node),
      edgeTarget: Int32Array.from({ length: count }, (_, node) =>
        node === 0 ? count - 1 : node === 1 ? EXIT : node - 1,
      ),
      isLanding: new Uint8Array(count),
      callNode: new Uint32Array(0),
      callTarget: new Uint32Array(0),
    };
    const startedMs = performance.now();
    const [plan] = planModule(drawModule([graph]));
    expect(performance.now() - startedMs).toBeLessThan(MAX_MS);
    expect(plan?.nodeCharge[0]).toBe(count);
  });

  test("a function of 300,000 nodes that jump anywhere", () => {
    const count = 300_000;
    let state = 12345;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state;
    };
    const graph: FlowGraph = {
      nodeCount: count,
      cost: Uint32Array.from({ length: count }, () => 1 + (random() % 9)),
      firstEdge: Uint32Array.from({ length: count + 1 }, (_, node) => 2 * node),
      edgeTarget: Int32Array.from({ length: 2 * count }, () =>
        random() % 1000 === 0 ? EXIT : 1 + (random() % (count - 1)),
      ),
      isLanding: Uint8Array.from({ length: count }, (_, node) => (node > 0 && random() % 10 === 0 ? 1 : 0)),
      callNode: new Uint32Array(0),
      callTarget: new Uint32Array(0),
    };
    const startedMs = performance.now();
    const [plan] = planModule(drawModule([graph]));
    expect(performance.now() - startedMs).toBeLessThan(MAX_MS);
    expect(plan?.nodeCharge[0]).toBeGreaterThan(0);
  });
});
