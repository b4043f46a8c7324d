import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { parseSpec, SpecError } from "../src/index.ts";
import { check } from "./_arbitraries.ts";

// Thousands of runs take seconds on an idle machine, and much longer on a busy one.
vi.setConfig({ testTimeout: 300_000 });

const SPEC = readFileSync(new URL("../../../activity-specs/video.yaml", import.meta.url), "utf8");

function expectSpecOrSpecError(text: string): void {
  try {
    expect(parseSpec(text, { fileName: "a.yaml" }).activities.length).toBeGreaterThan(0);
  } catch (error) {
    expect(error).toBeInstanceOf(SpecError);
    const lines = text.split("\n").length;
    const outside = (error as SpecError).problems.filter(({ line }) => line < 1 || line > lines);
    expect(outside).toEqual([]);
  }
}

test("a good file with a piece cut out or put in loads or is refused with SpecError", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "",
      "\n",
      ": ",
      "- ",
      "[",
      "]",
      "{",
      "}",
      "*preprocessed",
      "&x ",
      "? ",
      "!!set ",
      "null",
      "'",
      "|",
      "<<: ",
    ),
    fc.string({ maxLength: 5 }),
  );
  const edit = fc.record({ at: fc.nat(SPEC.length), cut: fc.nat(40), piece });
  check(fc.array(edit, { minLength: 1, maxLength: 3 }), 500, (edits) => {
    expectSpecOrSpecError(
      edits.reduce((text, { at, cut, piece }) => text.slice(0, at) + piece + text.slice(at + cut), SPEC),
    );
  });
});

test("any text at all is refused with SpecError", () => {
  check(fc.string({ unit: "binary", maxLength: 60 }), 500, expectSpecOrSpecError);
});
