import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wep, wepInside } from "./_commands.ts";
import { type Folder, folderWith } from "./_wep-process.ts";

const KEY = "uploads/a b.txt";
const REPORT = "runs/1/abc/r1/upper.txt";

const HANDLERS = `
import { defineHandler, TerminalError } from "SDK";
export const upper = defineHandler({ kind: "demo.upper", version: "1.0.0", async run({ text, big }, ctx) {
  const content = new TextDecoder().decode(await text.bytes()).trim();
  if (content === "") throw new TerminalError("nothing to do");
  ctx.log.info({ chars: content.length }, "read");
  await ctx.progress(50, "half");
  const { objectKey } = await ctx.upload("upper.txt", content.toUpperCase(), { mediaType: "text/plain" });
  return { chars: content.length, big: big + 1n, report_object_key: objectKey };
} });
`;

const RECORDED = {
  format: "subnet-worker.recorded-run/1",
  activity: { id: "0xabc", kind: "demo.upper", version: "1.0.0", workflowInstanceId: "0x1" },
  run: { id: "r1", attempt: 2, uploadPrefix: "runs/1/abc/r1/", metadata: {} },
  inputs: [
    { name: "text", abiType: "string", mediaType: "text/plain", objectKey: KEY },
    {
      name: "big",
      abiType: "uint256",
      mediaType: "application/json",
      value: "340282366920938463463374607431768211456",
    },
  ],
  workflowInputs: [],
  outputs: [
    { name: "chars", abiType: "uint32", mediaType: "", isObjectKey: false },
    { name: "big", abiType: "uint256", mediaType: "", isObjectKey: false },
    { name: "report_object_key", abiType: "string", mediaType: "text/plain", isObjectKey: true },
  ],
  outcome: {
    state: "done",
    status: "success",
    outputs: { chars: 5, big: "340282366920938463463374607431768211457", report_object_key: REPORT },
  },
};

let folder: Folder;
beforeAll(async () => {
  folder = await folderWith({
    "handlers.ts": HANDLERS,
    "wep.yaml": "handlers: { modules: [handlers.ts] }\n",
  });
  object(KEY, "hello");
});
afterAll(() => folder[Symbol.asyncDispose]());

function object(key: string, text: string, directory = "objects"): void {
  const path = join(folder.path, directory, key);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
}

/** Replays a recording that differs in this from the usual one. */
function replay(changes: object, ...args: string[]) {
  writeFileSync(join(folder.path, "run.json"), JSON.stringify({ ...RECORDED, ...changes }));
  return wepInside(["replay", "run.json", ...args], folder.path);
}

describe("wep replay", () => {
  it("as a program runs a recording again, and finds everything the same", async () => {
    writeFileSync(join(folder.path, "same.json"), JSON.stringify(RECORDED));
    const args = ["replay", "same.json", "--objects", "objects", "--out", "again"];
    const { code, stdout, stderr } = await wep(args, { cwd: folder.path });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^demo\.upper 1\.0\.0, activity 0xabc, run r1, attempt 2$/m);
    expect(stdout).toMatch(/^ {3}50% {2}half$/m);
    expect(stdout).toMatch(/INFO {2}read .*chars=5/);
    expect(stdout).toMatch(/^success in \d+ ms \(recorded: success, the same\)$/m);
    expect(stdout).toMatch(/^ {2}big +"340282366920938463463374607431768211457" +same$/m);
    expect(stdout).toMatch(/^ {2}report_object_key +again\/upper\.txt \(5 bytes\) +same$/m);
    expect(readFileSync(join(folder.path, "again/upper.txt"), "utf8")).toBe("HELLO");
  });

  it("reads objects by the URLs in it", async () => {
    const store = createServer((_, response) => response.end("by url"));
    await once(store.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(store.address() as AddressInfo).port}/a`;
    const [text, ...others] = RECORDED.inputs;
    const { code, stdout } = await replay({ inputs: [{ ...text, url }, ...others] }, "--json");
    store.close();
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "success",
      isSame: false,
      outputs: [
        { name: "chars", value: 6, verdict: "different", recorded: 5 },
        { name: "big", verdict: "same" },
        { name: "report_object_key", verdict: "same" },
      ],
    });
  });

  it("compares the content of what it writes, where there is a file of that", async () => {
    object(KEY, "hello", "known");
    object(REPORT, "HELLO", "known");
    expect((await replay({}, "--objects", "known")).code).toBe(0);
    object(REPORT, "HALLO", "known");
    const { code, stdout } = await replay({}, "--objects", "known");
    expect([code, stdout]).toEqual([1, expect.stringMatching(/report_object_key .* different/)]);
  });

  it("holds a failure against a recorded failure", async () => {
    object(KEY, "", "empty");
    const same = { outcome: { state: "done", status: "error", code: 2001, reason: "nothing to do" } };
    const failed = await replay(same, "--objects", "empty");
    expect([failed.code, failed.stdout]).toEqual([0, expect.stringContaining("EXECUTION_FAILED (2001)")]);
    expect(failed.stdout).toContain("recorded: error 2001: nothing to do");
    expect((await replay({}, "--objects", "empty")).code).toBe(1);
    expect((await replay(same, "--objects", "objects")).code).toBe(1);
  });

  it("succeeds with a run of which nothing was recorded yet", async () => {
    const { code, stdout } = await replay({ outcome: undefined }, "--objects", "objects");
    expect([code, stdout]).toEqual([0, expect.stringContaining("nothing was recorded of its outcome")]);
    expect(stdout).toMatch(/^ {2}chars +5$/m);
  });

  it.each([
    [{}, [], `text: ${KEY} was recorded without a URL`],
    [
      { inputs: [{ ...RECORDED.inputs[0], url: "http://h/", urlExpiresAtMs: 1_000 }] },
      [],
      "expired at 1970-01-01T00:00:01",
    ],
    [
      { inputs: [{ ...RECORDED.inputs[0], objectKey: "../run.json" }] },
      ["--objects", "objects"],
      "../run.json was recorded",
    ],
    [{ format: "subnet-worker.recorded-run/9" }, [], 'reads "subnet-worker.recorded-run/1"'],
    [
      { activity: { ...RECORDED.activity, version: "9.0.0" } },
      ["--objects", "objects"],
      "there is: demo.upper 1.0.0",
    ],
    [{}, ["--objects", "nowhere"], "--objects: nowhere is not there"],
    [{}, ["--objects", "objects", "--handlers", "nix.ts"], "nix.ts: no such file"],
    [{}, ["--objects", "objects", "--config", "nix.yaml"], "nix.yaml: no such file"],
  ])("refuses %j %j with a way out", async (changes, args, problem) => {
    const { code, stderr } = await replay(changes, ...args);
    expect([code, stderr]).toEqual([78, expect.stringContaining(problem)]);
  });

  it("says so when there is no recording, or no handler", async () => {
    const missing = await wepInside(["replay", "nix.json"], folder.path);
    expect([missing.code, missing.stderr]).toEqual([
      78,
      expect.stringContaining("wcp record show ACTIVITY-ID > run.json"),
    ]);
    await using bare = await folderWith({ "run.json": JSON.stringify({ ...RECORDED, inputs: [] }) });
    const none = await wepInside(["replay", "run.json"], bare.path);
    expect([none.code, none.stderr]).toEqual([78, expect.stringContaining("[NO_HANDLERS]")]);
  });
});
