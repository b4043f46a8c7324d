import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** The next line it prints. @throws when it ends before */
  line(): Promise<string>;
  send(line: string): void;
}

/** Runs a file of this folder in a process of its own; killed when disposed of. */
export function startChild(file: string, args: readonly string[]): Child {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, ["--conditions=@subnet-worker/source", path, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  return {
    pid: child.pid ?? -1,
    async line() {
      const next = await lines.next();
      if (next.done === true) throw new Error(`${file} ended before it answered`);
      return next.value;
    },
    send: (line) => void child.stdin.write(`${line}\n`),
    async [Symbol.asyncDispose]() {
      process.off("exit", kill);
      kill();
      await exited;
    },
  };
}
