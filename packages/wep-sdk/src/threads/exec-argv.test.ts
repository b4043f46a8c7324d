import { expect, it } from "vitest";
import { threadExecArgv } from "./exec-argv.ts";

const SOURCE = "--conditions=@subnet-worker/source";

it.each([
  ["keeps what modules are loaded with", ["-C", "dev", "--import", "./a.mjs", "--enable-source-maps"]],
  ["keeps values after an equals sign", ["--import=./a.mjs", "--conditions=x"]],
])("a thread %s", (_, flags) => {
  expect(threadExecArgv(flags, { isSource: false })).toEqual(flags);
});

it("a thread leaves out what only a process can have, and what would not run a file", () => {
  const flags = [
    "--max-old-space-size=4096",
    "--input-type=module",
    "-e",
    "code",
    "--inspect",
    "--expose-gc",
    "-r",
    "./b.cjs",
  ];
  expect(threadExecArgv(flags, { isSource: false })).toEqual(["-r", "./b.cjs"]);
});

it("a thread of the sources resolves to sources, named once", () => {
  expect(threadExecArgv([], { isSource: true })).toEqual([SOURCE]);
  expect(threadExecArgv([SOURCE], { isSource: true })).toEqual([SOURCE]);
  expect(threadExecArgv(["-C", "@subnet-worker/source"], { isSource: true })).toEqual([
    "-C",
    "@subnet-worker/source",
  ]);
});
