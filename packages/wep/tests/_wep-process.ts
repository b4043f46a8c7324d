import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createDeferred } from "@subnet-worker/testkit";

export type LogLine = Readonly<Record<string, unknown>>;

const MAIN = new URL("../src/main.ts", import.meta.url).pathname;
const SDK = new URL("../../wep-sdk/src/index.ts", import.meta.url).pathname;

export interface WepProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly logs: LogLine[];
  /** Standard output that is no log line, and standard error. */
  readonly text: { stdout: string; stderr: string };
  /** The first log line with this message, now or when it comes; rejects when the process ends before. */
  logged(message: string): Promise<LogLine>;
  /** Resolves once standard output that is no log line matches; rejects when the process ends before. */
  printed(pattern: RegExp): Promise<void>;
  /** The same for standard error, which comes in its own time. */
  complained(pattern: RegExp): Promise<void>;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

export interface WepProcessOptions {
  /** Puts a shell between, as npm does; the process is the shell then. */
  readonly throughShell?: boolean;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `wep` as an operator does, in a process of its own. */
export function startWep(args: readonly string[], options: WepProcessOptions = {}): WepProcess {
  const command = [process.execPath, "--conditions=@subnet-worker/source", MAIN, ...args];
  const shell = options.throughShell === true ? ["sh", "-c", '"$0" "$@"; true'] : [];
  const [program = "", ...rest] = [...shell, ...command];
  const child = spawn(program, rest, {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env["PATH"], ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const logs: LogLine[] = [];
  const text = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) logs.push(JSON.parse(line) as LogLine);
    else text.stdout += `${line}\n`;
    for (const look of watchers) look();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    text.stderr += chunk.toString();
    for (const look of watchers) look();
  });
  const exited = once(child, "close").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  function seen<T>(find: () => T | undefined, what: string): Promise<T> {
    const found = createDeferred<T>();
    const look = () => {
      const it = find();
      if (it !== undefined) found.resolve(it);
    };
    watchers.add(look);
    look();
    void exited.then((code) =>
      found.reject(new Error(`ended with ${code} before "${what}": ${text.stdout}${text.stderr}`)),
    );
    return found.promise;
  }
  return {
    child,
    logs,
    text,
    exited,
    logged: (message) => seen(() => logs.find(({ msg }) => msg === message), message),
    async printed(pattern) {
      await seen(() => (pattern.test(text.stdout) ? true : undefined), String(pattern));
    },
    async complained(pattern) {
      await seen(() => (pattern.test(text.stderr) ? true : undefined), String(pattern));
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}

export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A temporary folder with these files; `SDK` in a file becomes the path of the SDK's source. */
export async function folderWith(files: Readonly<Record<string, string>>): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "wep-test-"));
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(path, name), content.replaceAll("SDK", SDK));
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** A module of TypeScript with handlers that greet, wait to be stopped, never stop, block until there is a file "go", spin and lose a rejection. */
export const HANDLERS_TS = `
import { existsSync } from "node:fs";
import { defineHandler, type RunContext } from "SDK";

interface Greeting { readonly greeting: string }

export const greet = defineHandler<{ name: string }, Greeting>({
  kind: "demo.greet",
  version: "1.0.0",
  run: ({ name }) => ({ greeting: \`Hello, \${name}\` }),
});

export const wait = defineHandler({
  kind: "demo.wait",
  version: "1.0.0",
  run: (_input, ctx: RunContext) =>
    new Promise<Record<string, never>>((resolve, reject) => {
      const pending = setInterval(() => undefined, 60_000);
      ctx.signal.addEventListener("abort", () => {
        clearInterval(pending);
        reject(ctx.signal.reason);
      });
    }),
});

export const stubborn = defineHandler({
  kind: "demo.stubborn",
  version: "1.0.0",
  run: () => new Promise<Record<string, never>>(() => setInterval(() => undefined, 60_000)),
});

export const block = defineHandler({
  kind: "demo.block",
  version: "1.0.0",
  run() {
    while (!existsSync("go"));
    return {};
  },
});

export const spin = defineHandler({
  kind: "demo.spin",
  version: "1.0.0",
  run() {
    for (;;);
  },
});

export const careless = defineHandler({
  kind: "demo.careless",
  version: "1.0.0",
  run: () => {
    void Promise.reject(new Error("nobody awaits this"));
    return {};
  },
});
`;
