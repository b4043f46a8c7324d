import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCommand } from "../src/cli.ts";
import { parseInputs, valuesOf } from "../src/inputs.ts";
import { wcpConfigToml, wepConfigYaml } from "../src/node/config-files.ts";
import { outputPath } from "../src/outputs.ts";
import { ownCommand, quoted, userCwd } from "../src/own-command.ts";
import { createRunDir, type DevnetState, readState, writeState } from "../src/state-file.ts";
import { readWorkflows } from "../src/workflows.ts";
import { temporaryDir } from "./_processes.ts";
import { specOf } from "./_specs.ts";

describe("command line", () => {
  it("reads what npm start appends", () => {
    expect(parseCommand(["demo", "--input", "x.wav", "--keep", "--dir", "out"])).toEqual({
      kind: "demo",
      network: { dir: "out", handlers: [], specs: [], batching: false, wasm: false, storage: "s3" },
      run: { workflow: undefined, inputs: ["x.wav"] },
      keep: true,
    });
  });

  it("takes several handlers, specs and inputs", () => {
    expect(parseCommand(["up", "--handlers", "a.ts", "--handlers=b.ts", "--spec", "a.yaml"])).toEqual({
      kind: "up",
      network: {
        dir: undefined,
        handlers: ["a.ts", "b.ts"],
        specs: ["a.yaml"],
        batching: false,
        wasm: false,
        storage: "s3",
      },
    });
    expect(parseCommand(["up", "--storage", "folder"])).toMatchObject({ network: { storage: "folder" } });
    expect(() => parseCommand(["up", "--storage", "nfs"])).toThrow(
      'There is no --storage "nfs"; give one of s3, subnet-api, folder.',
    );
    const wasm = parseCommand(["up", "--wasm", "--spec", "wasm.yaml"]);
    expect(wasm).toMatchObject({ network: { wasm: true, handlers: [], specs: ["wasm.yaml"] } });
    expect(parseCommand(["up", "--batching"])).toMatchObject({ network: { batching: true } });
    expect(parseCommand(["submit", "--workflow", "a/1.0.0", "--input", "x=1", "--input", "y=@f"])).toEqual({
      kind: "submit",
      dir: undefined,
      run: { workflow: "a/1.0.0", inputs: ["x=1", "y=@f"] },
    });
  });

  it("takes a WEP that runs already instead of handlers", () => {
    const wep = "http://127.0.0.1:7070";
    expect(parseCommand(["up", "--wep", wep, "--spec", "a.yaml"])).toMatchObject({
      network: { wep, handlers: [], specs: ["a.yaml"] },
    });
    expect(parseCommand(["demo", "--wep", wep, "--spec", "a.yaml"])).toMatchObject({ network: { wep } });
  });

  it.each([[["--help"]], [["-h"]], [["help"]], [["demo", "--help"]], [["submit", "-h"]]])(
    "gives help for %j",
    (argv) => {
      expect(parseCommand(argv)).toEqual({ kind: "help" });
    },
  );

  it.each([
    [[], "Say what to do"],
    [["dmeo"], 'no command "dmeo"'],
    [["demo", "--imput", "x"], "--imput"],
    [["demo", "stray"], "stray"],
    [["demo", "--input"], "--input"],
    [["submit", "--keep"], "--keep"],
    [["up", "--handlers", "a.ts"], "together"],
    [["up", "--wep", "http://127.0.0.1:7070"], "together"],
    [["up", "--wep", "http://127.0.0.1:7070", "--spec", "a.yaml", "--wasm"], "Give --wasm or --wep"],
    [["up", "--wasm", "--handlers", "a.ts"], "together"],
    [
      ["up", "--wep", "http://127.0.0.1:7070", "--handlers", "a.ts", "--spec", "a.yaml"],
      "--handlers or --wep",
    ],
    [["up", "--wep", "7070", "--spec", "a.yaml"], "not a URL"],
  ])("refuses %j with its usage and exit code 78", (argv, part) => {
    expect(() => parseCommand(argv)).toThrow(
      expect.objectContaining({ code: "BAD_USAGE", exitCode: 78, message: expect.stringContaining(part) }),
    );
    expect(() => parseCommand(argv)).toThrow("subnet-devnet submit");
  });
});

describe("inputs", () => {
  const audio = specOf({ inputs: ["{ name: audio_object_key, type: string }"] });
  const mixed = specOf({
    inputs: [
      "{ name: text, type: string }",
      "{ name: times, type: uint256 }",
      "{ name: loud, type: bool }",
      '{ name: words, type: "string[]" }',
    ],
  });

  it("takes a bare path for the only file of a workflow", async () => {
    using dir = temporaryDir();
    writeFileSync(join(dir.path, "a.wav"), "12345");
    const inputs = await parseInputs(audio, ["a.wav"], (path) => resolve(dir.path, path));
    expect(inputs).toEqual([
      { kind: "file", param: "audio_object_key", path: join(dir.path, "a.wav"), sizeBytes: 5 },
    ]);
  });

  it("takes a file whose name looks like a field when it is written with ./", async () => {
    using dir = temporaryDir();
    writeFileSync(join(dir.path, "a=b.wav"), "");
    const [input] = await parseInputs(audio, ["./a=b.wav"], (path) => resolve(dir.path, path));
    expect(input).toMatchObject({ kind: "file", path: join(dir.path, "a=b.wav") });
  });

  it("takes text as it is, long numbers without loss, and JSON for the rest", async () => {
    const args = ["text=@home = 1", "times=123456789012345678901234567890", "loud=true", 'words=["a","b"]'];
    const inputs = await parseInputs(mixed, args, String);
    expect(valuesOf(inputs, String)).toEqual({
      text: "@home = 1",
      times: "123456789012345678901234567890",
      loud: true,
      words: ["a", "b"],
    });
  });

  it.each([
    { what: "a missing file", spec: audio, args: ["gone.wav"], says: "does not exist" },
    { what: "a folder", spec: audio, args: ["folder"], says: "is a directory" },
    {
      what: "an unknown field",
      spec: audio,
      args: ["other=1"],
      says: 'no input "other"; its inputs: audio_object_key',
    },
    { what: "a field given twice", spec: mixed, args: ["text=a", "text=b"], says: "given twice" },
    { what: "a file where none is taken", spec: mixed, args: ["a.wav"], says: "takes no file" },
    {
      what: "missing and wrong values, all at once",
      spec: mixed,
      args: ["text=a", "loud=7"],
      says: /times: missing[^]*loud: expected bool[^]*words: missing/,
    },
  ])("refuses $what", async ({ spec, args, says }) => {
    using dir = temporaryDir();
    mkdirSync(join(dir.path, "folder"));
    const parsed = parseInputs(spec, args, (path) => resolve(dir.path, path));
    await expect(parsed).rejects.toMatchObject({
      code: "BAD_INPUT",
      message: expect.stringMatching(says),
    });
  });

  it.skipIf(process.getuid?.() === 0)("refuses a file that may not be read", async () => {
    using dir = temporaryDir();
    writeFileSync(join(dir.path, "secret.wav"), "");
    chmodSync(join(dir.path, "secret.wav"), 0);
    await expect(parseInputs(audio, ["secret.wav"], (path) => resolve(dir.path, path))).rejects.toThrow(
      "permissions",
    );
  });
});

describe("workflow files", () => {
  it.each([
    { what: "a spec that is not there", text: undefined, says: "does not exist" },
    { what: "a mistake, with its line", text: "task_kind: a\ntask_version: one\n", says: "spec.yaml:2" },
    {
      what: "a quorum that one worker can never reach",
      text: "task_kind: a\ntask_version: 1.0.0\nnum_workers: 2\nquorum: 2\n",
      says: "needs 2 workers to agree",
    },
  ])("refuses $what", async ({ text, says }) => {
    using dir = temporaryDir();
    const path = join(dir.path, "spec.yaml");
    if (text !== undefined) writeFileSync(path, text);
    await expect(readWorkflows([path])).rejects.toMatchObject({
      code: "BAD_SPEC",
      message: expect.stringContaining(says),
    });
  });
});

describe("own command", () => {
  const invocation = {
    argv: ["/usr/bin/node", "/p/src/main.ts"],
    execArgv: ["--conditions=x"],
    cwd: "/p",
    env: {},
  };

  it("is what was typed: npx for an installed bin, node with its flags for sources", () => {
    expect(ownCommand({ ...invocation, argv: ["/usr/bin/node", "/p/node_modules/.bin/subnet-devnet"] })).toBe(
      "npx subnet-devnet",
    );
    expect(ownCommand(invocation)).toBe("/usr/bin/node --conditions=x src/main.ts");
  });

  it("is the package's devnet script when it has one", () => {
    using dir = temporaryDir();
    const manifest = join(dir.path, "package.json");
    writeFileSync(manifest, JSON.stringify({ scripts: { devnet: "..." } }));
    expect(ownCommand({ ...invocation, env: { npm_package_json: manifest } })).toBe("npm run devnet --");
  });

  it("quotes for a shell", () => {
    expect([quoted("a/b.wav"), quoted("it's"), quoted("x y")]).toEqual(["a/b.wav", `'it'\\''s'`, "'x y'"]);
  });

  it("finds where the user was when npm changed the folder, and only then", () => {
    const env = { npm_package_json: "/p/package.json", INIT_CWD: "/p/deep" };
    expect(userCwd({ ...invocation, env })).toBe("/p/deep");
    expect(userCwd({ ...invocation, cwd: "/elsewhere", env })).toBe("/elsewhere");
    expect(userCwd(invocation)).toBe("/p");
  });
});

describe("run directory", () => {
  const stateIn = (dir: string, pid = process.pid) =>
    ({
      pid,
      dir,
      ports: { wcpAdmin: 7081 },
      chain: {},
      storage: { kind: "s3" },
      store: {},
      wep: { endpoint: "http://127.0.0.1:7072" },
      workflows: [],
    }) as unknown as DevnetState;

  it("is found again by the latest pointer, and by its name", async () => {
    using dir = temporaryDir();
    const run = join(dir.path, "somewhere");
    await createRunDir(run);
    await expect(readState(undefined, dir.path)).rejects.toMatchObject({ code: "NOT_RUNNING" });
    await writeState(stateIn(run), dir.path);
    expect(await readState(undefined, dir.path)).toMatchObject({ dir: run });
    expect(await readState("somewhere", dir.path)).toMatchObject({ dir: run });
  });

  it("is not shared by two runs", async () => {
    using dir = temporaryDir();
    await createRunDir(dir.path);
    await expect(createRunDir(dir.path)).rejects.toMatchObject({ code: "DIR_IN_USE" });
    await expect(readState(dir.path, dir.path)).rejects.toThrow("not ready yet");
  });

  it("is refused where it cannot be made", async () => {
    using dir = temporaryDir();
    writeFileSync(join(dir.path, "file"), "");
    await expect(createRunDir(join(dir.path, "file"))).rejects.toMatchObject({ code: "BAD_DIR" });
    await expect(createRunDir(join(dir.path, "file", "below"))).rejects.toMatchObject({ code: "BAD_DIR" });
  });

  it("is not running once its process has ended", async () => {
    using dir = temporaryDir();
    await createRunDir(dir.path);
    await writeState(stateIn(dir.path, 2 ** 22 + 1), dir.path);
    await expect(readState(dir.path, dir.path)).rejects.toThrow("has ended");
  });
});

describe("the node's configuration", () => {
  it("holds no secret, and quotes what needs it", () => {
    const state = {
      ports: { wep: 1, wepHealth: 2, wcpAdmin: 3 },
      chain: { worker: "0xabc", batchExecutor: "0xdef" },
      storage: { kind: "s3" },
      store: { accessKeyId: "the-id", secretAccessKey: "the-secret" },
      wep: { endpoint: "http://127.0.0.1:1" },
      workflows: [{ specPath: '/a "b"/c.yaml' }],
    } as unknown as DevnetState;
    const toml = wcpConfigToml(state, { queues: ["a/1.0.0/b"], dbPath: "/d", batching: true });
    expect(toml).toContain('batch_executor_address = "0xdef"');
    expect(toml).toContain("confirmations = 0\nbatching = true");
    expect(toml).toContain('wep_grpc_endpoint = "http://127.0.0.1:1"\n\n[ethereum]');
    expect(toml).toContain(String.raw`files = ["/a \"b\"/c.yaml"]`);
    expect(toml).not.toMatch(/the-id|the-secret/);
    expect(wepConfigYaml(state.ports, { handlers: ["/h.ts"], slots: 4, wasm: true })).toBe(
      'server:\n  host: "127.0.0.1"\n  port: 1\nhealth:\n  port: 2\nruntime:\n  max_concurrency: 4\nhandlers:\n  modules: ["/h.ts"]\nwasm:\n  enabled: true\n',
    );
  });
});

describe("outputs", () => {
  it("stay in their folder whatever key a handler returned", () => {
    for (const key of ["a/../../etc/passwd", "..", "a/..", "/etc/passwd", "a/"]) {
      expect(outputPath("/out/step", key)).toMatch(/^\/out\/step\/[^/]+$/);
    }
    expect(outputPath("/out/step", "runs/1/processed.wav")).toBe("/out/step/processed.wav");
  });
});
