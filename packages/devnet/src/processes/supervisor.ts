import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { DevnetError } from "../errors.ts";
import { childEnvironment, type Environment } from "./child-env.ts";
import { readLogTail } from "./log-tail.ts";
import type { Reaper } from "./reaper-client.ts";

/** A process to start. */
export interface ChildSpec {
  /** Short and stable: it names the log file and appears in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What the child gets beyond the few variables that all children get. */
  readonly env: Environment;
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly drainMs: number;
}

export type ExitStatus =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: NodeJS.Signals };

/** A running child. Disposal asks it to end, waits, and kills what does not. */
export interface Child extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  readonly exited: Promise<ExitStatus>;
  /** Kills it at once, as a crash would, and waits until it is gone. This end counts as asked for. */
  kill(): Promise<void>;
}

export interface SupervisorDeps {
  readonly reaper: Reaper;
  readonly clock?: Clock;
}

/**
 * Starts the processes of one network.
 *
 * Invariants:
 * 1. Every child leads its own process group, so that a terminal's Ctrl-C
 *    reaches the devnet only, which then ends the children in order.
 * 2. The reaper hears of a child in the same turn of the event loop in which
 *    it was started.
 * 3. A child that ends without having been asked to aborts {@link signal}.
 */
export class Supervisor {
  readonly #deaths = new AbortController();
  readonly #logDir: string;
  readonly #reaper: Reaper;
  readonly #clock: Clock;

  constructor(options: { readonly logDir: string }, deps: SupervisorDeps) {
    this.#logDir = options.logDir;
    this.#reaper = deps.reaper;
    this.#clock = deps.clock ?? systemClock;
    mkdirSync(this.#logDir, { recursive: true });
    void this.#watchReaper();
  }

  /** Aborts with a {@link DevnetError} `CHILD_DIED` that names the child and shows its last log lines. */
  get signal(): AbortSignal {
    return this.#deaths.signal;
  }

  /**
   * Starts a child with its output appended to `<log dir>/<name>.log`.
   *
   * @throws when the program cannot be started
   */
  async start(spec: ChildSpec): Promise<Child> {
    const logPath = this.logPath(spec.name);
    const log = openSync(logPath, "a");
    try {
      const started = spawn(spec.command, spec.args, {
        detached: true,
        env: childEnvironment({ ...spec.env, ...this.#reaper.mark }),
        stdio: ["ignore", log, log],
      });
      if (started.pid === undefined) await once(started, "spawn"); // throws the reason it has no pid
      return this.#adopt(spec, started, logPath);
    } finally {
      closeSync(log);
    }
  }

  /** Where the output of a child of that name goes. */
  logPath(name: string): string {
    return join(this.#logDir, `${name}.log`);
  }

  async #watchReaper(): Promise<void> {
    await this.#reaper.lost;
    this.#fail(
      "The reaper, the process that cleans up after a crash, ended by itself; everything was stopped.",
    );
  }

  #adopt(spec: ChildSpec, started: ChildProcess, logPath: string): Child {
    const pid = started.pid as number;
    this.#reaper.watch(pid);
    let asked = false;
    const exited = once(started, "exit").then((result): ExitStatus => {
      const [code, signal] = result as [number | null, NodeJS.Signals | null];
      const status: ExitStatus =
        signal === null ? { kind: "exited", code: code ?? 0 } : { kind: "signalled", signal };
      killGroup(pid, "SIGKILL"); // what it may have started itself
      this.#reaper.forget(pid);
      if (!asked) void this.#reportDeath(spec.name, logPath, status);
      return status;
    });
    return {
      name: spec.name,
      pid,
      logPath,
      exited,
      async kill() {
        asked = true;
        killGroup(pid, "SIGKILL");
        await exited;
      },
      [Symbol.asyncDispose]: async () => {
        asked = true;
        started.kill("SIGTERM");
        using _deadline = this.#clock.timer(spec.drainMs, () => killGroup(pid, "SIGKILL"));
        await exited;
      },
    };
  }

  async #reportDeath(name: string, logPath: string, status: ExitStatus): Promise<void> {
    const how = status.kind === "exited" ? `with code ${status.code}` : `by ${status.signal}`;
    const tail = await readLogTail(logPath).catch((error: unknown) => [
      `(its log cannot be read: ${String(error)})`,
    ]);
    const said =
      tail.length === 0
        ? " It logged nothing."
        : ` Its last lines:\n${tail.map((line) => `    ${line}`).join("\n")}`;
    this.#fail(
      `The process "${name}" ended by itself ${how}; the others were stopped.${said}\n  Full log: ${logPath}`,
    );
  }

  #fail(message: string): void {
    this.#deaths.abort(new DevnetError("CHILD_DIED", message));
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // macOS answers EPERM for a group of which only zombies are left.
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}
