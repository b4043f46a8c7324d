import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartupError } from "@subnet-worker/kit";
import { parseCommand } from "../src/cli.ts";
import type { Io } from "../src/commands/command.ts";
import { type Folder, startWep, type WepProcessOptions } from "./_wep-process.ts";

/** What a `wep` command that has ended left behind. */
export interface Finished {
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a `wep` command to its end. */
export async function wep(args: readonly string[], options: WepProcessOptions = {}): Promise<Finished> {
  await using process = startWep(args, options);
  const code = await process.exited;
  // A line that begins like a log line is kept with those.
  const json = process.logs.map((line) => `${JSON.stringify(line)}\n`).join("");
  return { code, stdout: process.text.stdout + json, stderr: process.text.stderr };
}

/** The same in this process, which is quicker: what the command says, and how it ends. */
export async function wepInside(args: readonly string[], cwd: string): Promise<Finished> {
  const said = { stdout: "", stderr: "" };
  const io: Io = {
    env: {},
    cwd,
    isTerminal: false,
    out: (content) => void (said.stdout += Buffer.from(content).toString()),
    err: (text) => void (said.stderr += text),
  };
  try {
    const parsed = parseCommand(args);
    if (parsed.kind === "print") return { code: 0, ...said, stdout: parsed.text };
    const run = await parsed.load();
    const { signal } = new AbortController();
    const code = await run({ ...parsed.input, io, signal, setDrain: () => undefined });
    return { code, ...said };
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return { code: error.exitCode, ...said, stderr: `${said.stderr}wep: ${error.message}\n` };
  }
}

/** A folder with nothing in it. */
export async function emptyFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "wep-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
