import * as fc from "fast-check";
import { expect, test } from "vitest";
import { at, type DrawnNode, drawGraph, edgesOf, EXIT } from "../../tests/_flow-graphs.ts";
import type { FlowGraph } from "./flow-graph.ts";
import { findCheapestRests, type NodeFigures } from "./shortest-paths.ts";
import { NodeHeap } from "./shortest-paths-heap.ts";

/** The same by repetition until nothing changes, in the order that is given. */
function expectedRests(graph: FlowGraph, isStuck: readonly boolean[], mayCatch: boolean): readonly number[] {
  const rests = Array.from({ length: graph.nodeCount }, () => Infinity);
  const ahead = (target: number): number => {
    if (target === EXIT) {
      return 0;
    }
    const isLanding = at(graph.isLanding, target) === 1;
    return isLanding && (mayCatch || at(rests, target) < Infinity) ? 0 : at(rests, target);
  };
  for (let round = 0; round <= graph.nodeCount; round += 1) {
    for (let node = 0; node < graph.nodeCount; node += 1) {
      const edges = edgesOf(graph, node);
      const cheapest =
        mayCatch && edges.length === 0 ? 0 : Math.min(Infinity, ...edges.map(({ target }) => ahead(target)));
      rests[node] = at(isStuck, node) ? Infinity : at(graph.cost, node) + cheapest;
    }
  }
  return rests;
}

function foundRests(graph: FlowGraph, isStuck: readonly boolean[], mayCatch: boolean): readonly number[] {
  const figures: NodeFigures = {
    own: Float64Array.from(graph.cost),
    isStuck: Uint8Array.from(isStuck, Number),
    rest: new Float64Array(graph.nodeCount),
    ahead: new Float64Array(graph.nodeCount),
  };
  findCheapestRests(graph, figures, mayCatch);
  return [...figures.rest];
}

/** Chains of jumps back, so that some need more rounds than sweeps are made, and jumps from anywhere to anywhere. */
function arbitraryNodes(count: number): fc.Arbitrary<readonly DrawnNode[]> {
  const node = (index: number): fc.Arbitrary<DrawnNode> => {
    const back = fc.constant(index > 0 ? index - 1 : EXIT);
    const anywhere = fc.integer({ min: EXIT, max: count - 1 });
    return fc.record({
      cost: fc.integer({ min: 0, max: 9 }),
      to: fc.oneof(
        { weight: 6, arbitrary: back.map((target) => [target]) },
        { weight: 2, arbitrary: fc.tuple(back, anywhere) },
        { weight: 1, arbitrary: fc.array(anywhere, { maxLength: 2 }) },
      ),
      isLanding: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
    });
  };
  return fc.tuple(...Array.from({ length: count }, (_, index) => node(index)));
}

test.each([false, true])("finds the cheapest ways whatever the order of nodes (catching: %s)", (mayCatch) => {
  fc.assert(
    fc.property(
      arbitraryNodes(20),
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 20, maxLength: 20 }),
      (nodes, rolls) => {
        const graph = drawGraph(nodes);
        const isStuck = rolls.map((roll) => roll === 0 && !mayCatch);
        expect(foundRests(graph, isStuck, mayCatch)).toEqual(expectedRests(graph, isStuck, mayCatch));
      },
    ),
    { numRuns: 2000 },
  );
});

test("a heap gives back what was pushed, the lowest first", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 40 }), (keys) => {
      const heap = new NodeHeap(keys.length);
      for (const [node, key] of keys.entries()) {
        heap.push(key, node);
      }
      const popped: number[] = [];
      while (heap.size > 0) {
        const key = heap.lowestKey;
        expect(at(keys, heap.pop())).toBe(key);
        popped.push(key);
      }
      expect(heap.lowestKey).toBe(Infinity);
      expect(popped).toEqual(keys.toSorted((a, b) => a - b));
    }),
  );
});
