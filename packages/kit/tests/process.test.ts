import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const CHILD = fileURLToPath(new URL("_process-child.ts", import.meta.url));
const FOREVER_MS = 3_600_000;

// A test that times out never leaves its scope, so its child is killed here.
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** A child process; killed when it leaves scope. */
class Child implements AsyncDisposable {
  readonly lines: string[] = [];
  stderr = "";
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  readonly #watchers = new Set<() => void>();

  constructor(what: string, deadlineMs: number, echoMs = 0) {
    const args = ["--conditions=@subnet-worker/source", CHILD, what, String(deadlineMs), String(echoMs)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    this.#exited = once(child, "close").finally(() => children.delete(child));
    createInterface(child.stdout).on("line", (line) => {
      this.lines.push(line);
      for (const look of this.#watchers) look();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.#process = child;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves once the child has said `line`; rejects when it ends without. */
  async said(line: string): Promise<void> {
    while (!this.lines.includes(line)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      const ended = this.#exited.then(() => {
        throw new Error(`the child ended without saying "${line}": ${this.stderr}`);
      });
      await Promise.race([promise, ended]);
      this.#watchers.delete(resolve);
    }
  }

  /** The exit code, or the name of the signal that killed it. */
  async end(): Promise<unknown> {
    const [code, signal] = await this.#exited;
    return code ?? signal;
  }

  /** The message of its last words, which are one JSON line. */
  get lastWords(): { level: string; msg: string; stack?: string } {
    const lines = this.stderr.trim().split("\n");
    return JSON.parse(lines.at(-1) ?? "") as { level: string; msg: string; stack?: string };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }
}

describe.concurrent("runProcess exits", () => {
  test("with 0 when its work is done", async () => {
    await using child = new Child("ends", FOREVER_MS);
    expect(await child.end()).toBe(0);
    expect(child.stderr).toBe("");
  });

  test("with 1 on a fault, which it reports with the stack", async () => {
    await using child = new Child("fails", FOREVER_MS);
    expect(await child.end()).toBe(1);
    expect(child.lastWords).toMatchObject({ level: "fatal", msg: "out of luck" });
    expect(child.lastWords.stack).toContain("_process-child.ts");
  });

  test("with 1 on several faults, and reports each with its cause", async () => {
    await using child = new Child("fails-twice", FOREVER_MS);
    expect(await child.end()).toBe(1);
    expect(child.lastWords.msg).toBe("2 services failed");
    for (const part of ["no claim", "socket closed", "no flush"]) {
      expect(child.lastWords.stack).toContain(`caused by: Error: ${part}`);
    }
  });

  test.each([
    ["try-later", 75, "[RPC_DOWN] the RPC is down; start it"],
    ["bad-config", 78, "[BAD_CONFIG] no key; set it"],
  ])("with the code of a start-up error: %s", async (what, code, message) => {
    await using child = new Child(what, FOREVER_MS);
    expect(await child.end()).toBe(code);
    expect(child.lastWords.msg).toBe(message);
    expect(child.lastWords).not.toHaveProperty("stack");
  });

  test.each(["SIGINT", "SIGTERM"] as const)("with 0 once drained after %s", async (signal) => {
    await using child = new Child("drains", FOREVER_MS);
    await child.said("ready");
    child.kill(signal);
    expect(await child.end()).toBe(0);
    expect(child.lines).toEqual(["ready", `aborted by ${signal}`, "drained"]);
  });

  test("with 1 when draining fails", async () => {
    await using child = new Child("drains-badly", 100);
    await child.said("ready");
    child.kill("SIGTERM");
    expect(await child.end()).toBe(1);
    expect(child.stderr).toContain("cannot flush");
  });

  test("with 1 at the deadline when draining does not end", async () => {
    await using child = new Child("never-drains", 100);
    await child.said("ready");
    child.kill("SIGTERM");
    expect(await child.end()).toBe(1);
    expect(child.lastWords.msg).toBe("still busy 100 ms after SIGTERM; giving up");
  });

  test("with 1 at the second signal, without waiting for the deadline", async () => {
    await using child = new Child("never-drains", FOREVER_MS);
    await child.said("ready");
    child.kill("SIGINT");
    await child.said("aborted by SIGINT");
    child.kill("SIGTERM");
    expect(await child.end()).toBe(1);
    expect(child.stderr).toBe("");
  });

  test("at the deadline when the second signal is the echo of the first", async () => {
    await using child = new Child("never-drains", 300, FOREVER_MS);
    await child.said("ready");
    child.kill("SIGINT");
    await child.said("aborted by SIGINT");
    child.kill("SIGINT");
    expect(await child.end()).toBe(1);
    expect(child.lastWords.msg).toBe("still busy 300 ms after SIGINT; giving up");
  });

  test("at the deadline when something keeps it alive after its work", async () => {
    await using child = new Child("hangs-after-work", 100);
    expect(await child.end()).toBe(1);
    expect(child.lastWords.msg).toBe("still busy 100 ms after the end of its work; giving up");
  });

  test("with the code of the start-up error even when something keeps it alive", async () => {
    await using child = new Child("hangs-after-fault", 100);
    expect(await child.end()).toBe(75);
  });
});
