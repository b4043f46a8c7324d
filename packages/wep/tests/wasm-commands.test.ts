import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emptyFolder, type Finished, wep, wepInside } from "./_commands.ts";
import { wasmModule } from "./_wasm-modules.ts";
import type { Folder } from "./_wep-process.ts";

let folder: Folder;

beforeAll(async () => {
  folder = await emptyFolder();
  for (const name of ["greet", "spin", "fail", "command", "foreign", "plain"] as const) {
    await writeFile(join(folder.path, `${name}.wasm`), await wasmModule(name));
  }
  await writeFile(join(folder.path, "text.wasm"), "not a module");
  await writeFile(join(folder.path, "who.txt"), "file");
});

afterAll(() => folder[Symbol.asyncDispose]());

const inFolder = (...args: readonly string[]): Promise<Finished> => wepInside(["wasm", ...args], folder.path);

describe("wep wasm run", () => {
  it("prints what the program gives back, and beside it what it used", async () => {
    const { code, stdout, stderr } = await inFolder("run", "greet.wasm", "--input", "world");
    expect([code, stdout]).toEqual([0, "hello, world"]);
    expect(stderr).toMatch(/^outcome {5}completed\nfuel {8}\d+\ntime {8}[\d.]+ ms, and [\d.]+ ms to meter/);
    expect(stderr).toMatch(/\nmemory {6}64 KiB\nhost calls {2}0\n$/);
  });

  it.each([
    ["@who.txt", "hello, file"],
    ["@@who.txt", "hello, @who.txt"],
    ["", "hello, "],
  ])("takes %j for the input", async (input, output) => {
    expect((await inFolder("run", "greet.wasm", "--input", input)).stdout).toBe(output);
  });

  it("ends with the code of a command, whose stderr it passes on", async () => {
    const { code, stdout, stderr } = await inFolder("run", "command.wasm", "--input", "");
    expect([code, stdout]).toEqual([3, "out\n"]);
    expect(stderr).toMatch(/^error/);
    expect(stderr).toContain("wep: [WASM_GUEST_ERROR] the program failed with code 3");
  });

  it("ends with 1 for a code that no process can end with", async () => {
    expect(await inFolder("run", "fail.wasm", "--input", "")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("failed with code -7"),
    });
  });

  it("ends with 1 at a limit, and names the option that raises it", async () => {
    const burnt = await inFolder("run", "spin.wasm", "--fuel", "100000", "--input", "");
    expect(burnt.code).toBe(1);
    expect(burnt.stderr).toContain("[WASM_OUT_OF_FUEL] the program burned all of its 100000 fuel");
    expect(burnt.stderr).toContain("ask for a higher --fuel");
    const late = await inFolder(
      "run",
      "spin.wasm",
      "--time",
      "50ms",
      "--fuel",
      "1000000000000000",
      "--input",
      "",
    );
    expect(late.stderr).toContain("[WASM_TIMED_OUT] the program ran for its 50 ms");
  });

  it("takes every seed and all the fuel that there is", async () => {
    const most = ["--seed", String(2n ** 64n - 1n), "--fuel", String(2n ** 62n)];
    expect(await inFolder("run", "greet.wasm", "--input", "you", ...most)).toMatchObject({ code: 0 });
  });

  it("tells programs everything in one document", async () => {
    const { stdout, stderr } = await inFolder("run", "greet.wasm", "--input", "a", "--json");
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "completed",
      output: "hello, a",
      fuel: expect.stringMatching(/^\d+$/),
      memory_peak_bytes: 65_536,
      module: { abi: "execute", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    const failed = JSON.parse(
      (await inFolder("run", "command.wasm", "--input", "", "--json")).stdout,
    ) as object;
    expect(failed).toMatchObject({ kind: "guest_error", exit_code: 3, output: "out\n", stderr: "error" });
  });

  it("burns the same fuel with a profile, which adds up to it", async () => {
    const run = async (...more: readonly string[]) =>
      JSON.parse((await inFolder("run", "greet.wasm", "--input", "abc", "--json", ...more)).stdout) as {
        fuel: string;
        functions?: readonly { name: string; fuel: number }[];
      };
    const plain = await run();
    const profiled = await run("--profile", "greet.svg");
    expect(profiled.fuel).toBe(plain.fuel);
    expect(profiled.functions?.map(({ name }) => name).toSorted()).toEqual(["copy", "execute", "length"]);
    expect(profiled.functions?.reduce((sum, { fuel }) => sum + fuel, 0)).toBe(Number(plain.fuel));
    const svg = await readFile(join(folder.path, "greet.svg"), "utf8");
    expect(svg).toMatch(/^<svg xmlns=/);
    expect(svg).toContain(">copy</text>");
    const { stderr } = await inFolder("run", "greet.wasm", "--input", "abc", "--profile", "greet.svg");
    expect(stderr).toMatch(
      /profile {5}greet\.svg\n\n +fuel itself {4}share {2}function\n +\d+ +[\d.]+ % {2}\w+\n/,
    );
  });

  it("gives back what the program did where its profile cannot be written", async () => {
    const { code, stdout } = await inFolder(
      "run",
      "greet.wasm",
      "--input",
      "you",
      "--profile",
      "no/such/x.svg",
    );
    expect([code, stdout.trim()]).toEqual([78, "hello, you"]);
  });

  it.each([
    [["run"], 78, "an argument is missing"],
    [
      ["run", "none.wasm", "--input", ""],
      78,
      "[CANNOT_READ] none.wasm cannot be read: there is no such file",
    ],
    [["run", "text.wasm", "--input", ""], 1, "text.wasm: [WASM_BAD_MODULE]"],
    [["run", "plain.wasm", "--input", ""], 1, "plain.wasm: [WASM_BAD_REQUEST]"],
    [["run", "foreign.wasm", "--input", ""], 1, "[WASM_REFUSED_IMPORT]"],
    [["run", "greet.wasm", "--fuel", "lots"], 78, "--fuel: expected a whole number from 0 to"],
    [["run", "greet.wasm", "--time", "5"], 78, "--time:"],
    [["run", "greet.wasm", "--time", "0s"], 78, '--time: "0s" leaves no time to run'],
    [["run", "greet.wasm", "--fuel", String(2n ** 62n + 1n)], 78, `from 0 to ${2n ** 62n}`],
    [["run", "greet.wasm", "--stack-kb", "16385"], 78, "--stack-kb: expected a whole number from 0 to 16384"],
    [["run", "greet.wasm", "--seed", String(2n ** 64n)], 78, "--seed: expected a whole number from 0 to"],
    [
      ["run", "greet.wasm", "--abi", "wasi"],
      78,
      "--abi: there is no wasi; use execute, command, cli, handler",
    ],
    [["run", "greet.wasm", "--env", "A"], 78, '--env: expected NAME=VALUE, got "A"'],
    [["run", "greet.wasm", "--live", "--seed", "1"], 78, "leave --seed and --start-ms out"],
    [
      ["run", "greet.wasm", "--http", "a b"],
      78,
      '--http: expected a host, or a host and its port, got "a b"',
    ],
    [["run", "greet.wasm", "--http", "a*b"], 78, "--http: [EGRESS_BAD_REQUEST]"],
    [["run", "greet.wasm", "--memory", "1"], 78, "did you mean --memory-mb?"],
    [["run", "greet.wasm", "x"], 78, "arguments of the program go after --arg"],
    [["run", "greet.wasm", "--input", "", "--profile", "no/such/x.svg"], 78, "[CANNOT_WRITE] no/such/x.svg"],
  ])("refuses %j", async (args, code, problem) => {
    expect(await inFolder(...args)).toMatchObject({ code, stderr: expect.stringContaining(problem) });
  });
});

describe("wep wasm run, as a process", () => {
  it("reads no terminal, and ends when the program has", async () => {
    const { code, stdout } = await wep(["wasm", "run", join(folder.path, "greet.wasm"), "--input", "you"]);
    expect([code, stdout.trim()]).toEqual([0, "hello, you"]);
  });
});

describe("wep wasm inspect", () => {
  it("shows imports, exports, sizes and what a worker makes of it", async () => {
    const { code, stdout } = await inFolder("inspect", "command.wasm");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^command\.wasm: a core module\nsha256 {4}[0-9a-f]{64}\nabi {7}command\n/);
    expect(stdout).toContain("refused   nothing: a worker would run it\n");
    expect(stdout).toContain("memory    64 KiB from the start\n");
    expect(stdout).toContain("  wasi_snapshot_preview1.fd_write   (i32, i32, i32, i32) -> i32\n");
    expect(stdout).toContain("  wasi_snapshot_preview1.proc_exit  (i32) -> ()\n");
    expect(stdout).toContain("  memory  memory 1 or more pages of 64 KiB\n  _start  () -> ()\n");
    expect((await inFolder("inspect", "greet.wasm")).stdout).toContain("memory   memory 1 to 4 pages");
  });

  it.each([
    ["foreign.wasm", "refused   "],
    ["plain.wasm", "refused   its exports fit no ABI"],
  ])("says why a worker would not run %s, and ends with 1", async (file, reason) => {
    const { code, stdout } = await inFolder("inspect", file);
    expect(code).toBe(1);
    expect(stdout).toContain(reason);
    expect(stdout).not.toContain("refused   nothing");
  });

  it("tells programs the same in one document", async () => {
    const { stdout } = await inFolder("inspect", "greet.wasm", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      file: "greet.wasm",
      abi: "execute",
      refusal: null,
      modules: [{ functionCount: 3, namedFunctions: 3, memoryMinPages: 1, hasStart: false }],
    });
  });

  it("refuses what is no module", async () => {
    expect(await inFolder("inspect", "text.wasm")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("text.wasm: [WASM_BAD_MODULE]"),
    });
  });
});

describe("wep wasm meter", () => {
  it("writes the module as it runs, beside it or where it is told", async () => {
    const { code, stdout } = await inFolder("meter", "greet.wasm");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^greet\.metered\.wasm: \d+ bytes, \d+ % more than greet\.wasm\n$/);
    const metered = await readFile(join(folder.path, "greet.metered.wasm"));
    expect(metered.includes("subnet:meter/fuel")).toBe(true);
    await inFolder("meter", "greet.wasm", "--out", "every.wasm", "--placement", "every");
    expect((await readFile(join(folder.path, "every.wasm"))).length).toBeGreaterThan(metered.length);
  });

  it("is refused a module that is metered already", async () => {
    await inFolder("meter", "greet.wasm", "--out", "twice.wasm");
    expect(await inFolder("meter", "twice.wasm")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("twice.wasm: [WASM_UNSUPPORTED]"),
    });
  });

  it.each([
    [["meter", "text.wasm"], 1, "text.wasm: [WASM_BAD_MODULE]"],
    [["meter", "greet.wasm", "--placement", "slow"], 78, "--placement: there is no slow"],
    [["meter", "greet.wasm", "plain.wasm"], 78, "the file to write goes after --out"],
  ])("refuses %j", async (args, code, problem) => {
    expect(await inFolder(...args)).toMatchObject({ code, stderr: expect.stringContaining(problem) });
  });

  it("says that a component is none of its business", async () => {
    await writeFile(
      join(folder.path, "component.wasm"),
      new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]),
    );
    expect(await inFolder("meter", "component.wasm")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("[WASM_COMPONENT] component.wasm is a component"),
    });
  });
});
