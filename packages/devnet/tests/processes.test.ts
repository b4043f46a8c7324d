import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/kit/fake-clock";
import { describe, expect, it } from "vitest";
import { childEnvironment } from "../src/processes/child-env.ts";
import { startReaper } from "../src/processes/reaper-client.ts";
import { Supervisor } from "../src/processes/supervisor.ts";
import { isAlive, temporaryDir, untilGone } from "./_processes.ts";
import { OBEDIENT, STUBBORN } from "./_programs.ts";

let runs = 0;

async function family(clock: Clock = systemClock) {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(temporaryDir());
  const reaper = stack.use(await startReaper(`test-${process.pid}-${(runs += 1)}`));
  const supervisor = new Supervisor({ logDir: dir.path }, { reaper, clock });
  return { reaper, supervisor, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const nodeProgram = (name: string, args: readonly string[], drainMs = 5_000) => ({
  name,
  command: process.execPath,
  args,
  env: {},
  drainMs,
});

/** Also where that has happened already. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

const logged = async (path: string, text: string) =>
  expect.poll(() => readFile(path, "utf8"), { interval: 20, timeout: 15_000 }).toContain(text);

describe("supervisor", () => {
  it("ends a child that listens to SIGTERM and says how it ended", async () => {
    await using net = await family();
    const child = await net.supervisor.start(nodeProgram("obedient", OBEDIENT));
    await child[Symbol.asyncDispose]();
    expect(await child.exited).toEqual({ kind: "signalled", signal: "SIGTERM" });
    expect(isAlive(child.pid)).toBe(false);
    expect(net.supervisor.signal.aborted).toBe(false);
  });

  it("kills a child that does not end within its deadline", async () => {
    const clock = new FakeClock();
    await using net = await family(clock);
    const child = await net.supervisor.start(nodeProgram("stubborn", STUBBORN, 200));
    await logged(child.logPath, "up");
    const ended = child[Symbol.asyncDispose]();
    await logged(child.logPath, "no");
    await clock.advance(199);
    expect(isAlive(child.pid)).toBe(true);
    await clock.advance(1);
    await ended;
    expect(await child.exited).toEqual({ kind: "signalled", signal: "SIGKILL" });
  });

  it("names a child that died, with its code, its last words and its log", async () => {
    await using net = await family();
    const child = await net.supervisor.start(
      nodeProgram("fragile", [
        "-e",
        `console.log('{"level":"fatal","msg":"the disk is full"}'); process.exit(7)`,
      ]),
    );
    await aborted(net.supervisor.signal);
    const { message } = net.supervisor.signal.reason as Error;
    expect(message).toContain('[CHILD_DIED] The process "fragile" ended by itself with code 7');
    expect(message).toContain("fatal the disk is full");
    expect(message).toContain(child.logPath);
  });

  it("takes a kill it was asked for as no accident", async () => {
    await using net = await family();
    const child = await net.supervisor.start(nodeProgram("victim", STUBBORN));
    await child.kill();
    expect(await child.exited).toEqual({ kind: "signalled", signal: "SIGKILL" });
    expect(net.supervisor.signal.aborted).toBe(false);
  });

  it("fails to start what does not exist", async () => {
    await using net = await family();
    const start = net.supervisor.start({ ...nodeProgram("ghost", []), command: "/no/such/program" });
    await expect(start).rejects.toThrow("ENOENT");
  });

  it("stops everything when the reaper dies", async () => {
    await using net = await family();
    process.kill(net.reaper.pid, "SIGKILL");
    await aborted(net.supervisor.signal);
    expect(net.supervisor.signal.reason).toMatchObject({ code: "CHILD_DIED" });
  });
});

describe("child environment", () => {
  it("passes on a few harmless variables and nothing else", () => {
    const from = {
      PATH: "/bin",
      HOME: "/root",
      AWS_SECRET_ACCESS_KEY: "s",
      PRIVATE_KEY: "k",
      NODE_OPTIONS: "--inspect",
    };
    expect(childEnvironment({ MINE: "1" }, from)).toEqual({ PATH: "/bin", HOME: "/root", MINE: "1" });
  });
});

describe("reaper", () => {
  it("kills every child and grandchild after the parent was killed with SIGKILL", async () => {
    using dir = temporaryDir();
    const parent = spawn(
      process.execPath,
      [
        "--conditions=@subnet-worker/source",
        fileURLToPath(new URL("./_family.ts", import.meta.url)),
        dir.path,
      ],
      { stdio: ["ignore", "pipe", "inherit"], detached: true },
    );
    const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
    const pids = JSON.parse(line) as { reaper: number; one: number; two: number; logPath: string };
    await expect
      .poll(() => readFile(pids.logPath, "utf8"), { interval: 20, timeout: 15_000 })
      .toMatch(/^\d+\n/);
    const grandchild = Number(await readFile(pids.logPath, "utf8"));
    expect([pids.reaper, pids.one, pids.two, grandchild].map(isAlive)).toEqual([true, true, true, true]);

    process.kill(-(parent.pid as number), "SIGKILL");
    await untilGone([parent.pid as number, pids.one, pids.two, grandchild, pids.reaper]);
  });

  it("kills a group it was told of even when its processes carry no mark", async () => {
    const reaper = await startReaper(`test-${process.pid}-unmarked`);
    const unmarked = spawn(process.execPath, STUBBORN, { detached: true, stdio: "ignore" });
    reaper.watch(unmarked.pid as number);
    await reaper[Symbol.asyncDispose]();
    await untilGone([unmarked.pid as number]);
  });

  it("outlives the signals that a terminal or an init sends to everybody", async () => {
    await using net = await family();
    const child = await net.supervisor.start(nodeProgram("child", STUBBORN));
    await logged(child.logPath, "up");
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(net.reaper.pid, signal);
    expect(isAlive(net.reaper.pid)).toBe(true);
    await child.kill();
  });
});
