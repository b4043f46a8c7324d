import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallTree, FIRST_FUNCTION, MOST_DEPTH, MOST_PATHS } from "../src/profile/call-tree.ts";

const named = (id: number) => `f${id - FIRST_FUNCTION}`;

/** Function numbers from 0, and what each step burns. */
function trace(steps: readonly (readonly ["enter" | "leave", number, number])[], start = 1_000_000) {
  const tree = new CallTree(start);
  let left = start;
  for (const [what, number, burned] of steps) {
    left -= burned;
    tree[what](number + FIRST_FUNCTION, left);
  }
  return tree;
}

function linesOf(tree: CallTree): readonly string[] {
  return tree.stacks(named).trimEnd().split("\n");
}

function sumOf(text: string): number {
  return text
    .trimEnd()
    .split("\n")
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

describe("fuel by call path", () => {
  it("counts to the function that is open, and again to the caller after a return", () => {
    const tree = trace([
      ["enter", 0, 1],
      ["enter", 1, 10],
      ["leave", 1, 100],
      ["enter", 2, 1_000],
      ["leave", 2, 20],
      ["leave", 0, 4],
    ]);
    expect(linesOf(tree)).toEqual(["f0 1014", "f0;f1 100", "f0;f2 20", "(outside) 1"]);
  });

  it("takes calls that an exception has left for ended", () => {
    const tree = trace([
      ["enter", 0, 0],
      ["enter", 1, 1],
      ["enter", 2, 1],
      ["leave", 0, 5],
      ["enter", 3, 0],
      ["leave", 3, 7],
    ]);
    expect(linesOf(tree)).toEqual(["f3 7", "f0;f1;f2 5", "f0 1", "f0;f1 1"]);
  });

  it("ignores a return of what was never called", () => {
    expect(
      linesOf(
        trace([
          ["leave", 5, 3],
          ["enter", 0, 0],
          ["leave", 0, 2],
        ]),
      ),
    ).toEqual(["(outside) 3", "f0 2"]);
  });

  it("loses no fuel, whatever is called and left", () => {
    const step = fc.tuple(
      fc.constantFrom("enter" as const, "leave" as const),
      fc.nat(6),
      fc.nat({ max: 1_000 }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300 }), (steps) => {
        const burned = steps.reduce((sum, [, , fuel]) => sum + fuel, 0);
        expect(sumOf(trace(steps).stacks(named))).toBe(burned);
      }),
    );
  });

  it("puts a recursion without end into one node from some depth on, and finds back", () => {
    const depth = 100_000;
    const tree = new CallTree(10 * depth);
    let left = 10 * depth;
    for (let at = 0; at < depth; at += 1) tree.enter(FIRST_FUNCTION, (left -= 1));
    for (let at = 0; at < depth; at += 1) tree.leave(FIRST_FUNCTION, (left -= 1));
    tree.enter(FIRST_FUNCTION + 1, left);
    tree.leave(FIRST_FUNCTION + 1, left - 3);
    expect(tree.size).toBe(MOST_DEPTH + 3);
    const lines = linesOf(tree);
    expect(lines[0]).toMatch(/^(f0;){256}\(deeper\) \d+$/);
    expect(lines).toContain("f1 3");
    expect(sumOf(tree.stacks(named))).toBe(2 * depth + 3);
  });

  it("stays small when every call is a new path", () => {
    const tree = new CallTree(10_000_000);
    let left = 10_000_000;
    for (let outer = 0; outer < 1_000; outer += 1) {
      tree.enter(FIRST_FUNCTION + outer, (left -= 1));
      for (let inner = 0; inner < 200; inner += 1) {
        tree.enter(FIRST_FUNCTION + inner, (left -= 1));
        tree.leave(FIRST_FUNCTION + inner, (left -= 1));
      }
      tree.leave(FIRST_FUNCTION + outer, (left -= 1));
    }
    expect(tree.size).toBeLessThanOrEqual(2 * MOST_PATHS);
    const text = tree.stacks(named);
    expect(text).toContain("(more paths)");
    expect(sumOf(text)).toBe(10_000_000 - left);
  });

  it("writes no more text than it may, and says what is missing from it", () => {
    const tree = new CallTree(1_000_000_000);
    let left = 1_000_000_000;
    for (let outer = 0; outer < 70; outer += 1) {
      for (let at = 0; at < 250; at += 1) tree.enter(FIRST_FUNCTION + outer * 250 + at, (left -= 1));
      for (let at = 249; at >= 0; at -= 1) tree.leave(FIRST_FUNCTION + outer * 250 + at, left);
    }
    const long = "n".repeat(500);
    const text = tree.stacks((id) => `${long}${id}`);
    expect(text.length).toBeLessThan(9 * 1024 * 1024);
    expect(text).toMatch(/\n\(rest\) \d+\n$/);
    expect(sumOf(text)).toBe(1_000_000_000 - left);
  });

  it.each([
    ["a;b", "a:b"],
    ["a\nb 7", "a b 7"],
    ["", "?"],
    ["\ud800", "\ufffd"],
  ])("writes the name %j so that a line stays one line of one path", (name, written) => {
    const tree = trace([
      ["enter", 0, 0],
      ["leave", 0, 5],
    ]);
    expect(tree.stacks(() => name)).toBe(`${written} 5\n`);
  });
});
