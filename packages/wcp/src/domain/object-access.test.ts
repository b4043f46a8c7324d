import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkInputKey, type InputRules, type InputUser, isOwnObject } from "./object-access.ts";
import { ObjectKeyError, parseRunKey, uploadKey, uploadPrefix } from "./object-key.ts";

const WORKFLOW = `0x${"a".repeat(64)}`;
const TASK = `0x${"b".repeat(64)}`;
const USER = { taskId: TASK, workflowInstanceId: WORKFLOW };
const PREFIX = uploadPrefix(WORKFLOW, TASK, "run-1");
const A16 = "a".repeat(16);
const B16 = "b".repeat(16);

const isRunOne = (runId: string) => runId === "run-1";

describe("an object of a task's own runs", () => {
  it("is one that such a run wrote", () => {
    expect(isOwnObject(`${PREFIX}a/b.png`, USER, isRunOne)).toBe(true);
    expect(isOwnObject(`${PREFIX}a`, USER, isRunOne)).toBe(true);
  });

  it.each([
    ["another run's, though the activity looks the same", `runs/${A16}/${B16}/run-2/a`],
    ["one whose run id goes on", `runs/${A16}/${B16}/run-1x/a`],
    ["one whose run id is cut", `runs/${A16}/${B16}/run-/a`],
    ["a sibling's", `runs/${A16}/${"c".repeat(16)}/run-1/a`],
    ["one of an id that begins with ours", `runs/${A16}/${B16}b/run-1/a`],
    ["one of an id that ours begins with", `runs/${A16}/${B16.slice(1)}/run-1/a`],
    ["another workflow's", `runs/${"c".repeat(16)}/${B16}/run-1/a`],
    ["one of no workflow", `runs/none/${B16}/run-1/a`],
    ["the prefix itself", PREFIX],
    ["the run's name alone", PREFIX.slice(0, -1)],
    ["the area", "runs/"],
    ["an upper-case area", `Runs/${A16}/${B16}/run-1/a`],
    ["a key outside of the area", "in/a.wav"],
    ["nothing", ""],
    ["an absolute path", `/${PREFIX}a`],
    ["a climb", `${PREFIX}../run-2/a`],
    ["a climb that ends where it began", `${PREFIX}../run-1/a`],
    ["a climb in the ids", `runs/${A16}/../${A16}/${B16}/run-1/a`],
    ["two slashes", `${PREFIX}/a`],
    ["an encoded slash", `${PREFIX}a%2fb`],
    ["an encoded climb", `${PREFIX}%2e%2e/run-2/a`],
    ["a backslash", `${PREFIX}..\\run-2\\a`],
    ["a NUL", `${PREFIX}a\0`],
    ["a full-width dot", `${PREFIX}．．/run-2/a`],
    ["a long name", `${PREFIX}${"a".repeat(2_000)}`],
  ])("is not %s", (_what, key) => {
    expect(isOwnObject(key, USER, isRunOne)).toBe(false);
  });

  it("is whatever an upload made, and every such key is read back as its parts", () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,12}$/);
    const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(name, (text) => {
        const key = uploadKey(PREFIX, text);
        expect(parseRunKey(key)).toEqual({ workflow: A16, task: B16, runId: "run-1", name: text });
        expect(isOwnObject(key, USER, isRunOne)).toBe(true);
      }),
    );
  });

  it("of a task without a workflow is under none, and no workflow's", () => {
    const alone = { taskId: TASK, workflowInstanceId: "" };
    expect(isOwnObject(`runs/none/${B16}/run-1/a`, alone, isRunOne)).toBe(true);
    expect(isOwnObject(`${PREFIX}a`, alone, isRunOne)).toBe(false);
  });
});

const STEP: InputUser = { ...USER, isInWorkflow: true };
const ANY: InputRules = { inputPrefixes: [] };

function reasonFor(key: string, user: InputUser = STEP, rules = ANY): string | undefined {
  try {
    checkInputKey(key, user, rules);
    return undefined;
  } catch (error) {
    if (!(error instanceof ObjectKeyError)) throw error;
    return error.reason;
  }
}

describe("an input", () => {
  it.each([
    "in/song.wav",
    "song.wav",
    "Über uns/Straße 5 (final).wav",
    "100% done.txt",
    "a%b.txt",
    "uploads/2025..01/a",
    "...",
    "runs.txt",
    "runsheet/a",
    "my-runs/a",
    "写真/猫.png",
    "ﬁle.txt",
    `runs/${A16}/${"c".repeat(16)}/run-7/out.wav`,
  ])("may be %j", (key) => {
    expect(reasonFor(key)).toBeUndefined();
  });

  it.each([
    [`runs/${"c".repeat(16)}/${B16}/run-1/a`, "another workflow's"],
    [`runs/${A16}a/${B16}/run-1/a`, "of a workflow whose id begins with ours"],
    [`runs/none/${B16}/run-1/a`, "of no workflow"],
    [`runs/${A16}`, "a workflow as such"],
    [`RUNS/${"c".repeat(16)}/${B16}/run-1/a`, "another workflow's, where upper and lower case are one"],
    ["runs", "the area"],
    [`%72uns/${"c".repeat(16)}/x/y/z`, "another workflow's, encoded"],
    [`ｒuns/${"c".repeat(16)}/x/y/z`, "another workflow's, in wide letters"],
  ])("may not be %j: %s", (key) => {
    expect(reasonFor(key)).toBe("outside");
  });

  it("of the task's own workflow may be read by a step of it only", () => {
    const key = `runs/${A16}/${"c".repeat(16)}/run-7/out.wav`;
    expect(reasonFor(key, { ...STEP, isInWorkflow: false })).toBe("outside");
    expect(reasonFor(key, { ...STEP, workflowInstanceId: "" })).toBe("outside");
    expect(reasonFor(`runs/none/${B16}/r/a`, { ...STEP, workflowInstanceId: "" })).toBe("outside");
  });

  it.each([
    ["", "nothing"],
    ["/etc/passwd", "an absolute path"],
    ["in//a", "an empty segment"],
    ["in/", "a folder"],
    ["..", "a climb"],
    ["in/../runs/x", "a climb in the middle"],
    ["in/./a", "a segment that is nothing"],
    ["in/%2e%2e/runs/x", "an encoded climb"],
    ["in/%252e%252e/runs/x", "a doubly encoded climb"],
    ["in/%25252525252e%25252525252e/x", "a climb that was encoded six times"],
    [`in/%${"25".repeat(12)}2e/x`, "one encoded without end"],
    ["in%2f..%2fruns", "encoded slashes"],
    ["in\\..\\runs", "backslashes"],
    ["in%5c..%5cruns", "encoded backslashes"],
    ["in/．．/runs", "wide dots"],
    ["in/․․/runs", "one dot leaders"],
    ["in/‥/runs", "a two dot leader"],
    ["in／..／runs", "wide slashes"],
    ["in∕..∕runs", "division slashes"],
    ["in⁄..⁄runs", "fraction slashes"],
    ["in/％2e％2e/runs", "wide percent signs"],
    ["a%00b", "an encoded NUL"],
    ["a\0b", "a NUL"],
    ["a\nb", "a line break"],
    ["a%0d%0ab", "an encoded line break"],
    ["a\u200b/b", "a zero-width space"],
    ["a\u202egnp", "a right-to-left mark"],
    ["a\ud800", "half a pair"],
    ["a%c0%ae%c0%ae/b", "overlong dots"],
    ["é".repeat(513), "one too long in bytes"],
  ])("%j is refused, as %s", (key) => {
    expect(reasonFor(key)).toBe("bad_name");
  });

  it("is under what the operator lists, by whole segments, or of its own workflow", () => {
    const rules = { inputPrefixes: ["in/", "media", "runs/none/"] };
    expect(reasonFor("in/a.wav", STEP, rules)).toBeUndefined();
    expect(reasonFor("media/a.wav", STEP, rules)).toBeUndefined();
    expect(reasonFor(`runs/none/${B16}/r/a`, STEP, rules)).toBeUndefined();
    expect(reasonFor(`runs/${A16}/${B16}/r/a`, STEP, rules)).toBeUndefined();
    expect(reasonFor("mediathek/a.wav", STEP, rules)).toBe("outside");
    expect(reasonFor("out/a.wav", STEP, rules)).toBe("outside");
    expect(reasonFor("in/../out/a.wav", STEP, rules)).toBe("bad_name");
    expect(reasonFor("%69n/a.wav", STEP, rules)).toBe("outside");
  });

  it("that is let through is, however it is decoded, never another workflow's", () => {
    const piece = fc.constantFrom(
      "runs",
      "RUNS",
      "in",
      "/",
      "..",
      ".",
      "%2e",
      "%2f",
      "%25",
      "%5c",
      "%",
      "2e",
      "．",
      "／",
      "\\",
      "cccccccccccccccc",
      A16,
      "a",
      "％",
      "\0",
      "é",
    );
    const key = fc.array(piece, { maxLength: 12 }).map((parts) => parts.join(""));
    let taken = 0;
    fc.assert(
      fc.property(key, (text) => {
        if (reasonFor(text) !== undefined) return;
        taken += 1;
        for (const form of forms(text)) {
          const path = new URL(`http://store/${form}`).pathname.toLowerCase();
          if (/^\/runs(\/|$)/.test(path)) expect(path).toMatch(new RegExp(`^/runs/${A16}/`));
        }
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(200);
  });
});

/** What a store or proxies in front of it may make of a key: decoded some times, in each Unicode form. */
function forms(key: string): string[] {
  const found = new Set<string>();
  let current = key;
  for (let round = 0; round < 10; round += 1) {
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const) found.add(current.normalize(form));
    current = current
      .normalize("NFKC")
      .replace(/%[0-9A-Fa-f]{2}/g, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
  }
  return [...found];
}
