import * as fc from "fast-check";
import { expect, test } from "vitest";
import { at } from "../../tests/_flow-graphs.ts";
import { findComponents, type Links } from "./call-graph.ts";

function link(lists: readonly (readonly number[])[]): Links {
  const first = [0];
  for (const list of lists) {
    first.push(at(first, first.length - 1) + list.length);
  }
  return { nodeCount: lists.length, first: Uint32Array.from(first), to: Uint32Array.from(lists.flat()) };
}

/** By node, the nodes that it leads to. */
function closure(lists: readonly (readonly number[])[]): readonly ReadonlySet<number>[] {
  return lists.map((list) => {
    const seen = new Set(list);
    for (const node of seen) {
      for (const next of at(lists, node)) {
        seen.add(next); // a set is walked on to what is added meanwhile
      }
    }
    return seen;
  });
}

test("components come after what they lead to, each in one piece, and cycles are found", () => {
  const count = 9;
  const lists = fc.array(fc.array(fc.nat(count - 1), { maxLength: 3 }), {
    minLength: count,
    maxLength: count,
  });
  fc.assert(
    fc.property(lists, (drawn) => {
      const reach = closure(drawn);
      const { order, isCyclic } = findComponents(link(drawn));
      expect([...order].sort((a, b) => a - b)).toEqual(drawn.map((_, node) => node));
      expect([...isCyclic]).toEqual(drawn.map((_, node) => (at(reach, node).has(node) ? 1 : 0)));
      for (const [place, node] of order.entries()) {
        for (const later of order.subarray(place + 1)) {
          // What comes later is led to only from within the same component.
          expect(!at(reach, node).has(later) || at(reach, later).has(node)).toBe(true);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a chain of 300,000 nodes that ends where it began is one component", () => {
  const count = 300_000;
  const to = Uint32Array.from({ length: count }, (_, node) => (node + 1) % count);
  const first = Uint32Array.from({ length: count + 1 }, (_, node) => node);
  const { isCyclic } = findComponents({ nodeCount: count, first, to });
  expect(isCyclic.every((flag) => flag === 1)).toBe(true);
});
