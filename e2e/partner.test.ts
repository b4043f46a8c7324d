// README's "Write a handler", word for word, by somebody who has the tarballs and an empty folder.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processesWith, recordOf } from "./_demo.ts";
import { commandsOf, fileNameOf, readmeBlocks } from "./_guide.ts";
import { outsideEnvironment, packAll, REPOSITORY } from "./_outside.ts";
import { startProcess } from "./_process.ts";
import { until } from "./_until.ts";

const MINUTES = 60_000;
const WITHIN_MS = 3 * MINUTES;

const blocks = readmeBlocks("Write a handler");
const [packing, ...ownSteps] = blocks;

interface Finished {
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
  /** The command line of each process that was seen meanwhile. */
  readonly commandLines: readonly (readonly string[])[];
}

/** Real: where macOS links its temporary folder to would look like a way out of the project. */
const place = realpathSync(mkdtempSync(join(tmpdir(), "partner-")));
const project = join(place, "words");
let demo: Finished;

describe("README: write a handler", () => {
  beforeAll(async () => {
    await packAll(place);
    mkdirSync(project);
    for (const block of ownSteps) {
      if (block.language === "sh") demo = await shell(block.code);
      else writeFileSync(join(project, fileNameOf(block)), block.code);
    }
  }, 3 * WITHIN_MS);
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  it("takes fewer than ten steps, packing included", () => {
    const files = ownSteps.filter(({ language }) => language !== "sh");
    expect(files.map(fileNameOf)).toEqual(["words.yaml", "handlers.ts"]);
    expect(commandsOf(blocks).length + files.length).toBeLessThan(10);
  });

  it("packs with the command that this test packed with", () => {
    expect(packing?.code).toContain(" run pack\n");
    const { scripts } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    expect(scripts["pack"]).toBe("node scripts/pack.ts");
  });

  it("counts nine words on chain, and lists the three longest in a file", () => {
    expect(demo.stderr).toBe("");
    expect(demo.code).toBe(0);
    expect(demo.stdout).toMatch(/^\s.*\bwords 9$/m);
    const { outcome, steps } = recordOf({ cwd: project });
    expect(outcome).toEqual({ kind: "completed" });
    const report = steps[0]?.outputs.find(({ name }) => name === "report_object_key")?.file ?? "none";
    expect(readFileSync(report, "utf8").split("\n")).toEqual(["quick", "brown", "jumps"]);
    expect(demo.stdout).toContain(report.slice(project.length + 1));
  });

  it("has every package of ours from its tarball, and nothing from the repository", () => {
    const ours = join(project, "node_modules", "@subnet-worker");
    expect(readdirSync(ours)).toEqual(publishedPackages());
    for (const name of readdirSync(ours)) {
      expect(lstatSync(join(ours, name)).isDirectory(), `${name} is a folder and no link`).toBe(true);
      expect(readdirSync(join(ours, name)), name).not.toContain("src");
    }
    const entries = readdirSync(join(project, "node_modules"), { recursive: true, withFileTypes: true });
    const links = entries.filter((entry) => entry.isSymbolicLink());
    for (const { parentPath, name } of links)
      expect(realpathSync(join(parentPath, name)), name).toContain(`${project}/`);

    const files = entries.filter((entry) => entry.isFile() && entry.parentPath.startsWith(ours));
    expect(files.length).toBeGreaterThan(100);
    for (const { parentPath, name } of files)
      expect(readFileSync(join(parentPath, name), "utf8"), name).not.toContain(REPOSITORY);
    for (const name of readdirSync(ours))
      expect(readFileSync(join(ours, name, "package.json"), "utf8"), name).not.toMatch(
        /"(workspace|catalog):|@subnet-worker\/source/,
      );
  });

  it("type-checks against the packages' declarations, all of them", async () => {
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--lib", "esnext"];
    await using tsc = await startProcess({
      command: join(REPOSITORY, "node_modules", ".bin", "tsc"),
      args: [...options, "handlers.ts"],
      cwd: project,
      env: outsideEnvironment(place),
    });
    expect([await tsc.ended, tsc.stdout()]).toEqual([0, ""]);
  });

  it.skipIf(process.platform !== "linux")("runs what the packages compiled to in both processes", () => {
    for (const name of ["wep", "wcp"]) {
      const main = join(project, "node_modules", "@subnet-worker", name, "dist", "main.js");
      const found = demo.commandLines.filter((line) => line.includes(main));
      // The WCP begins once more, with flags of its own before the file.
      const commands = found.map((line) => [line[0], line[line.indexOf(main) + 1]].join(" "));
      expect([...new Set(commands)]).toEqual([`${process.execPath} run`]);
    }
    // The first is the node that runs this test, which is the repository's own.
    const args = demo.commandLines.flatMap(([, ...rest]) => rest);
    expect(args.filter((arg) => arg.includes(REPOSITORY))).toEqual([]);
  });
});

/** Runs a block as a shell would that stops at the first error. */
async function shell(code: string): Promise<Finished> {
  await using run = await startProcess({
    command: "sh",
    args: ["-ec", code.replaceAll("/path/to/subnet-worker", REPOSITORY)],
    cwd: project,
    env: outsideEnvironment(place),
  });
  // What the shell started keeps its pipes open, and would be waited for, when the shell alone is killed.
  using _rest = { [Symbol.dispose]: killWhatRuns };
  const commandLines = new Map<string, readonly string[]>();
  let ended: Finished["code"] | undefined;
  void run.ended.then((code) => (ended = code));
  await until(
    "the commands to end",
    () => {
      for (const line of runningCommands()) commandLines.set(line.join(" "), line);
      return ended !== undefined;
    },
    { withinMs: WITHIN_MS, instead: () => run.stdout() + run.stderr() },
  );
  const finished = { code: await run.ended, stdout: run.stdout(), stderr: run.stderr() };
  expect(finished.code, `${code}\n${finished.stdout}${finished.stderr}`).toBe(0);
  return { ...finished, commandLines: [...commandLines.values()] };
}

function runningPids(): readonly number[] {
  return process.platform === "linux" ? processesWith(`TMPDIR=${place}`) : [];
}

function killWhatRuns(): void {
  for (const pid of runningPids()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

function runningCommands(): readonly (readonly string[])[] {
  return runningPids().flatMap((pid) => {
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1)];
    } catch {
      return []; // ended meanwhile
    }
  });
}

function publishedPackages(): readonly string[] {
  return readdirSync(join(REPOSITORY, "packages"))
    .filter((name) => {
      const manifest = readFileSync(join(REPOSITORY, "packages", name, "package.json"), "utf8");
      return (JSON.parse(manifest) as { private?: boolean }).private !== true;
    })
    .toSorted();
}
