// From packed tarballs and an empty folder to a handler on a chain, in the commands of README and the guide.
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
import { systemClock } from "@subnet-worker/kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processesWith, recordOf } from "./_demo.ts";
import { outsideEnvironment, packAll, REPOSITORY } from "./_outside.ts";
import { startProcess, type TestProcess } from "./_process.ts";
import { until } from "./_until.ts";

const MINUTES_MS = 60_000;

const INSTALL = [
  "npm init -y",
  "npm install /path/to/subnet-worker/tarballs/*.tgz",
  "npx wep init",
  "npm install",
] as const;
const TEST = "npm test";
const DEV = "npm run dev";
const SEND = "npx wep send demo.words --input sample.json";
const CHECK = ["npm run types", "npm run typecheck"] as const;
const DEMO =
  "npx subnet-devnet demo --handlers ./handlers.ts --spec ./words.yaml --input text_object_key=@sample.txt --input longest=3";
const COMMANDS = [...INSTALL, TEST, DEV, SEND, ...CHECK, DEMO];

/** Real: where macOS links its temporary folder to would look like a way out of the project. */
const place = realpathSync(mkdtempSync(join(tmpdir(), "start-")));
const project = join(place, "my-handlers");
let startedMs = 0;
let dev: TestProcess;

interface Finished {
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

function begin(command: string, env: Readonly<Record<string, string>> = {}): Promise<TestProcess> {
  return startProcess({
    command: "sh",
    args: ["-ec", `exec ${command.replaceAll("/path/to/subnet-worker", REPOSITORY)}`],
    cwd: project,
    env: { ...outsideEnvironment(place), ...env },
  });
}

/** Any that are free: somebody else on this machine may have the usual ones. */
const FREE_PORTS = { WEP__SERVER__PORT: "0", WEP__HEALTH__PORT: "0" };

async function run(command: string): Promise<Finished> {
  await using running = await begin(command);
  const code = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

async function succeed(command: string): Promise<Finished> {
  const finished = await run(command);
  expect(finished.code, `${command}\n${finished.stdout}${finished.stderr}`).toBe(0);
  return finished;
}

/** With the usual ports it is the guide's. */
const HINT = /to send it a task, in another terminal: (.*)/;
/** What the network says of how to submit to it. */
const SUBMIT = /^devnet \| +(npx subnet-devnet submit .*)$/m;
/** {@link succeed}, with the command line of each process that was seen meanwhile. */
async function watch(command: string): Promise<Finished & { readonly commandLines: readonly string[][] }> {
  const seen = new Map<string, string[]>();
  let isOver = false;
  const finished = succeed(command).finally(() => (isOver = true));
  finished.catch(() => undefined); // awaited below
  await until(
    "the command to end",
    () => {
      for (const line of processesWith(`TMPDIR=${place}`).flatMap(commandLineOf))
        seen.set(line.join(" "), line);
      return isOver;
    },
    { withinMs: 3 * MINUTES_MS },
  );
  return { ...(await finished), commandLines: [...seen.values()] };
}

function commandLineOf(pid: number): readonly string[][] {
  try {
    return [readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1)];
  } catch {
    return []; // ended meanwhile
  }
}

/** Both processes run what the packages compiled to, and nothing of the repository but its Node. */
function expectOwnPrograms(commandLines: readonly (readonly string[])[]): void {
  for (const name of ["wep", "wcp"]) {
    const main = join(project, "node_modules", "@subnet-worker", name, "dist", "main.js");
    const found = commandLines.filter((line) => line.includes(main));
    // The WCP begins once more, with flags of its own before the file.
    const commands = found.map((line) => [line[0], line[line.indexOf(main) + 1]].join(" "));
    expect([...new Set(commands)]).toEqual([`${process.execPath} run`]);
  }
  const args = commandLines.flatMap(([, ...rest]) => rest);
  expect(args.filter((arg) => arg.includes(REPOSITORY))).toEqual([]);
}

function publishedPackages(): readonly string[] {
  return readdirSync(join(REPOSITORY, "packages"))
    .filter((name) => {
      const manifest = readFileSync(join(REPOSITORY, "packages", name, "package.json"), "utf8");
      return (JSON.parse(manifest) as { private?: boolean }).private !== true;
    })
    .toSorted();
}

const saidByDev = () => dev.stdout() + dev.stderr();

/** As a terminal does: it tells every process of the group, npm and what npm started. */
function pressCtrlC({ pid }: TestProcess): void {
  const group = groupOf(pid);
  for (const each of processesWith(`TMPDIR=${place}`)) {
    if (groupOf(each) === group) process.kill(each, "SIGINT");
  }
}

function groupOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")")).split(" ")[3];
}

/** The spec with other names in it. */
function rename(from: string, to: string): void {
  const path = join(project, "words.yaml");
  writeFileSync(path, readFileSync(path, "utf8").replaceAll(from, to));
}

/** Does to a file of the project what a `diff` block of the guide says. */
function applyChange(name: string, diff = ""): void {
  const lines = diff.split("\n").filter((line) => line !== "");
  const side = (sign: string) =>
    lines
      .filter((line) => line.startsWith(" ") || line.startsWith(sign))
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  const path = join(project, name);
  const before = readFileSync(path, "utf8");
  expect(before, name).toContain(side("-"));
  writeFileSync(
    path,
    before.replace(side("-"), () => side("+")),
  );
}

describe.skipIf(process.platform !== "linux")("from an empty folder", () => {
  beforeAll(async () => {
    await packAll(place);
    mkdirSync(project);
    startedMs = systemClock.monotonicMs();
    for (const command of INSTALL) await succeed(command);
  }, 5 * MINUTES_MS);
  afterAll(() => {
    for (const pid of processesWith(`TMPDIR=${place}`)) process.kill(pid, "SIGKILL");
    rmSync(place, { recursive: true, force: true });
  });

  it.each(["README.md", "docs/guide.md"])("takes ten commands, those of %s in their order", (page) => {
    expect(COMMANDS).toHaveLength(10);
    const text = readFileSync(join(REPOSITORY, page), "utf8");
    const lines = text.split("\n").map((line) => line.replace(/\s+#.*$/, ""));
    let from = 0;
    for (const command of COMMANDS) {
      const at = lines.indexOf(command, from);
      expect(at, `${page} has "${command}" after line ${from}`).not.toBe(-1);
      from = at + 1;
    }
  });

  it("has the handler that README shows", () => {
    const shown = /^```ts words\n(.*?)^```$/ms.exec(readFileSync(join(REPOSITORY, "README.md"), "utf8"))?.[1];
    const written = readFileSync(join(project, "handlers.ts"), "utf8");
    const withoutComments = written.split("\n").filter((line) => !/^\s*\/\//.test(line));
    expect(withoutComments.join("\n")).toBe(shown);
  });

  it("has every package of ours from its tarball, and nothing from the repository", () => {
    const ours = join(project, "node_modules", "@subnet-worker");
    expect(readdirSync(ours)).toEqual(publishedPackages());
    for (const name of readdirSync(ours)) {
      expect(lstatSync(join(ours, name)).isDirectory(), `${name} is a folder and no link`).toBe(true);
      expect(readdirSync(join(ours, name)), name).not.toContain("src");
    }
    const entries = readdirSync(join(project, "node_modules"), { recursive: true, withFileTypes: true });
    for (const { parentPath, name } of entries.filter((entry) => entry.isSymbolicLink()))
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
    const { code, stdout } = await run("npx tsc --skipLibCheck false");
    expect([code, stdout]).toEqual([0, ""]);
  });

  it("has a project, with the packages from their tarballs, whose handler passes its test", async () => {
    expect(readdirSync(project)).toEqual(expect.arrayContaining(["words.yaml", "handlers.ts", "Dockerfile"]));
    const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    expect(manifest.dependencies["@subnet-worker/wep-sdk"]).toMatch(/^file:.*\.tgz$/);
    expect((await succeed(TEST)).stdout).toMatch(/pass 2\n[^]*fail 0\n/);
    await succeed("npm run typecheck");
  });

  it("runs the handler on a task, with no chain", async () => {
    dev = await begin(DEV, FREE_PORTS);
    const hint = await until("a word on how to send a task", () => HINT.exec(dev.stdout())?.[1], {
      instead: saidByDev,
    });
    expect(hint).toMatch(new RegExp(`^${SEND} --url http://127\\.0\\.0\\.1:\\d+$`));
    const { stdout } = await succeed(hint);
    expect(stdout).toMatch(/^ {2}words +9$/m);
    const saved = /report_object_key +(\S+)/.exec(stdout)?.[1] ?? "none";
    expect(readFileSync(join(project, saved), "utf8")).toBe("quick\nbrown\njumps");
  });

  it("has the compiler name a field that the spec calls something else now", async () => {
    rename("name: longest", "name: most_words");
    const [types, typecheck] = CHECK;
    await succeed(types);
    const renamed = await run(typecheck);
    expect(renamed.code).not.toBe(0);
    expect(renamed.stdout).toMatch(
      /handlers\.ts\(\d+,\d+\): error TS2339: Property 'longest' does not exist/,
    );
    expect(renamed.stdout).toMatch(/handlers\.test\.ts\(\d+,\d+\): error/);
    // The worker that runs all the while has followed.
    await until("the worker to start again", () => dev.stdout().split("wep listening").length > 2, {
      instead: saidByDev,
    });
    rename("name: most_words", "name: longest");
    await succeed(types);
    await succeed(typecheck);
    pressCtrlC(dev);
    await dev.ended;
    expect(dev.stdout()).toMatch(/ drained [^]*$/);
    await until("nothing of it to be left", () => processesWith(`TMPDIR=${place}`).length === 0);
  });

  it("gives one thing more, as the guide changes it", async () => {
    const [types, typecheck] = CHECK;
    const guide = readFileSync(join(REPOSITORY, "docs/guide.md"), "utf8");
    const [ofSpec, ofHandler] = Array.from(
      guide.matchAll(/^```diff\n(.*?)^```$/gms),
      ([, diff = ""]) => diff,
    );
    applyChange("words.yaml", ofSpec);
    await succeed(types);
    const missing = await run(typecheck);
    expect(missing.code).not.toBe(0);
    expect(missing.stdout).toMatch(/handlers\.ts\(\d+,\d+\): error [^]*'characters' is missing/);
    applyChange("handlers.ts", ofHandler);
    await succeed(typecheck);
    await succeed(TEST);
  });

  it("runs it on a chain, in less than ten minutes from the first command on", async () => {
    const { stdout, commandLines } = await watch(DEMO);
    expectOwnPrograms(commandLines);
    expect(stdout).toMatch(/^\s.*\bwords 9$/m);
    expect(stdout).toMatch(/\bcharacters 35$/m);
    const { outcome, steps } = recordOf({ cwd: project });
    expect(outcome).toEqual({ kind: "completed" });
    const report = steps[0]?.outputs.find(({ name }) => name === "report_object_key")?.file ?? "none";
    expect(readFileSync(report, "utf8")).toBe("quick\nbrown\njumps");
    const minutes = (systemClock.monotonicMs() - startedMs) / MINUTES_MS;
    process.stdout.write(`ten commands took ${minutes.toFixed(1)} minutes\n`);
    expect(minutes).toBeLessThan(10);
  });

  it("develops against a chain beside it, and takes that along when it ends", async () => {
    dev = await begin("npx wep dev --devnet", FREE_PORTS);
    const submit = await until("the network to be up", () => SUBMIT.exec(dev.stdout())?.[1], {
      instead: saidByDev,
    });
    const given = submit.replace("=@FILE", "=@sample.txt").replace("=VALUE", "=1");
    expect((await succeed(given)).stdout).toContain("demo.words/1.0.0 completed");
    pressCtrlC(dev);
    await dev.ended;
    await until("nothing of it to be left", () => processesWith(`TMPDIR=${place}`).length === 0);
  });
});
