import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "@subnet-worker/e2e/lab/rpc-proxy";
import { systemClock } from "@subnet-worker/kit/clock";
import { residentMb } from "../process-memory.ts";

/** A program that is started: its source, and how one knows that it is ready. */
export interface Program {
  readonly folder: string;
  readonly file: string;
  readonly source: string;
  /** Files beside it. */
  readonly files?: Readonly<Record<string, string>>;
  readonly isReady: (port: number) => Promise<boolean>;
}

export interface Start {
  readonly tookMs: number;
  readonly residentMb: number;
}

/** Asking without a pause would take the core that it starts on. */
const PAUSE_MS = 3;

/** Starts a program as its user does, with the port to be ready on as its argument, and ends it. */
export async function coldStart({ folder, file, source, files = {}, isReady }: Program): Promise<Start> {
  for (const [name, text] of Object.entries({ ...files, [file]: source }))
    writeFileSync(join(folder, name), text);
  const port = await freePort();
  const startMs = performance.now();
  const child = spawn(process.execPath, [file, String(port)], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit");
  try {
    while (!(await isReady(port))) {
      if (child.exitCode !== null) throw new Error(`${file} ended before it was ready`);
      await systemClock.sleep(PAUSE_MS);
    }
    const tookMs = performance.now() - startMs;
    return { tookMs, residentMb: residentMb(child.pid ?? -1) };
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}

export async function answersReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    return false; // asked again until it is there
  }
}

export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // asked again until it is there
  } finally {
    socket.destroy();
  }
}
