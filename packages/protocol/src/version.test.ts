import { describe, expect, test } from "vitest";
import {
  BASE_VERSION,
  hasAdditions,
  isVersionInRange,
  negotiateVersion,
  parseVersion,
  PROTOCOL_RANGE,
  VersionError,
} from "./index.ts";

/** `1.0.0-1.1.0` as a range. */
function range(text: string): { min: string; max: string } {
  const [min = "", max = ""] = text.split("-");
  return { min, max };
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof VersionError) return error.code;
    throw error;
  }
  return undefined;
}

describe("negotiateVersion", () => {
  test.each([
    ["1.0.0-1.1.0", "1.0.0-1.1.0", "1.1.0"],
    ["1.0.0-1.1.0", "1.0.0-1.0.0", "1.0.0"], // the deployed WEPs
    ["1.0.0-1.1.0", "1.0.0-2.0.0", "1.1.0"],
    ["1.0.0-1.1.0", "1.1.0-3.0.0", "1.1.0"],
    ["1.0.0-1.1.0", "1.0.5-1.0.9", "1.0.9"],
    ["1.0.0-1.1.0", "0.1.0-1.0.0", "1.0.0"],
    ["1.2.0-1.10.0", "1.9.0-1.11.0", "1.10.0"],
    ["2.0.0-2.0.0", "1.0.0-3.0.0", "2.0.0"],
  ])("of %s and %s is %s, whichever side asks", (ours, theirs, version) => {
    expect(negotiateVersion(range(ours), range(theirs))).toBe(version);
    expect(negotiateVersion(range(theirs), range(ours))).toBe(version);
  });

  test.each([
    ["1.0.0-1.1.0", "1.1.1-2.0.0"],
    ["1.0.0-1.1.0", "0.1.0-0.9.9"],
    ["1.0.0-1.1.0", "2.0.0-1.0.0"], // upside down: no version lies in it
  ])("of %s and %s is refused, and says which side speaks what", (ours, theirs) => {
    expect(codeOf(() => negotiateVersion(range(ours), range(theirs)))).toBe("NO_COMMON_VERSION");
    expect(codeOf(() => negotiateVersion(range(theirs), range(ours)))).toBe("NO_COMMON_VERSION");
    const { min, max } = range(theirs);
    expect(() => negotiateVersion(range(ours), range(theirs))).toThrow(
      `[NO_COMMON_VERSION] we speak 1.0.0 to 1.1.0, the peer ${min} to ${max}; upgrade the side with the lower range`,
    );
  });

  test.each(["-", "1.0.0-", "1-2", "1.0.0-x"])(
    "with a peer that speaks %j is refused as malformed",
    (theirs) => {
      expect(codeOf(() => negotiateVersion(PROTOCOL_RANGE, range(theirs)))).toBe("INVALID_VERSION");
    },
  );
});

describe("parseVersion", () => {
  test.each([
    ["0.0.0", [0, 0, 0]],
    ["1.2.3", [1, 2, 3]],
    ["10.20.30", [10, 20, 30]],
    ["999999999.0.1", [999_999_999, 0, 1]],
  ])("reads %s", (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  test.each([
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "v1.2.3",
    "1.2.3-beta",
    "1.2.3+build",
    " 1.2.3",
    "1.2.3\n",
    "1..3",
    "-1.2.3",
    "1.2.1234567890",
  ])("refuses %j", (text) => {
    expect(codeOf(() => parseVersion(text))).toBe("INVALID_VERSION");
    expect(() => parseVersion(text)).toThrow("is not a version; write it as 1.2.3");
  });
});

test("a range includes its bounds and compares numbers, not text", () => {
  const bounds = { min: "1.2.0", max: "1.10.0" };
  for (const version of ["1.2.0", "1.9.9", "1.10.0"]) expect(isVersionInRange(version, bounds)).toBe(true);
  for (const version of ["1.1.9", "1.10.1", "2.0.0", "0.5.0"])
    expect(isVersionInRange(version, bounds)).toBe(false);
});

test("additions may be sent from 1.1.0 on", () => {
  expect(hasAdditions(BASE_VERSION)).toBe(false);
  expect(hasAdditions("1.0.9")).toBe(false);
  expect(hasAdditions("1.1.0")).toBe(true);
  expect(hasAdditions("2.0.0")).toBe(true);
});

test("this build speaks the deployed version", () => {
  expect(isVersionInRange(BASE_VERSION, PROTOCOL_RANGE)).toBe(true);
});
