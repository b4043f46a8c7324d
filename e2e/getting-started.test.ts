// From packed tarballs and an empty folder to a handler on a chain, in the commands that the guide has.
import {
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

  it("takes ten commands, those of the guide", () => {
    expect(COMMANDS).toHaveLength(10);
    const guide = readFileSync(join(REPOSITORY, "docs/guide.md"), "utf8");
    for (const command of COMMANDS) expect(guide).toContain(command);
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

  it("runs it on a chain, in less than ten minutes from the first command on", async () => {
    const { stdout } = await succeed(DEMO);
    expect(stdout).toMatch(/^\s.*\bwords 9$/m);
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
