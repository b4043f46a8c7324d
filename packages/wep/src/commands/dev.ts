import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import type { ActivitySpec } from "@subnet-worker/activity-spec";
import { EXIT, StartupError, systemClock } from "@subnet-worker/kit";
import { readableLine } from "../readable-log.ts";
import { flagOption, type Invocation, type Io } from "./command.ts";
import { type DevChild, startChild } from "./dev-child.ts";
import { DevnetBeside } from "./dev-devnet.ts";
import { type Project, readProject, refreshTypes } from "./dev-project.ts";
import { SourceWatch } from "./dev-watch.ts";
import { readSpec } from "./find-spec.ts";
import { ownProgram } from "./own-program.ts";
import { runArgs } from "./run.ts";

/** Ending the children, beyond the runs' grace. */
const ENDING_MS = 10_000;
const PARENT_CHECK_MS = 500;

/** What `wep dev` waits for. */
type Event =
  | { readonly kind: "changed"; readonly files: readonly string[] }
  | { readonly kind: "exited"; readonly code: number | NodeJS.Signals }
  | { readonly kind: "stopped" };

/**
 * `wep dev`: runs handlers, and again after each change of them, of what they import, of their
 * specs or of the configuration. What is wrong is shown, and the next change waited for.
 *
 * @throws {StartupError} 78 for a configuration that is wrong from the start
 */
export async function dev(invocation: Invocation): Promise<number> {
  const { io, signal } = invocation;
  const first = readProject(invocation);
  invocation.setDrain(first.config.runtime.graceful_shutdown_s * 1_000 + ENDING_MS);
  await using devnet = flagOption(invocation, "devnet") ? DevnetBeside.of(io, first.specs) : undefined;
  using watch = new SourceWatch(systemClock);
  const stopped = Promise.race([stopOf(signal), parentGone(io, signal)]);
  const workers = new Workers(invocation, devnet);
  await workers.begin(first);
  watch.follow(first.files);
  for (;;) {
    const event = await Promise.race([stopped, changeOf(watch), workers.exit()]);
    if (event.kind === "stopped") {
      await workers.end();
      return EXIT.ok;
    }
    if (event.kind === "exited") {
      // A port that is taken from the start: no change of a file helps there.
      if (event.code === EXIT.tryLater && !workers.hasListened) return event.code;
      say(io, `the worker ended with ${event.code}; waiting for the next change`);
      continue;
    }
    say(io, `${event.files.map((path) => relative(io.cwd, path)).join(", ")} changed`);
    watch.forget();
    if (await workers.change(event.files)) watch.follow(workers.project.files);
  }
}

/** The worker of a project, one after another. */
class Workers {
  readonly #invocation: Invocation;
  readonly #devnet: DevnetBeside | undefined;
  #current: DevChild | undefined;
  #project: Project | undefined;
  #hasListened = false;
  /** As it was last shown. */
  #hint: string | undefined;

  constructor(invocation: Invocation, devnet: DevnetBeside | undefined) {
    this.#invocation = invocation;
    this.#devnet = devnet;
  }

  /** Whether any of them has been ready for work. */
  get hasListened(): boolean {
    return this.#hasListened;
  }

  /** As it was when it could last be read. */
  get project(): Project {
    if (this.#project === undefined) throw new Error("no project yet");
    return this.#project;
  }

  async begin(project: Project): Promise<void> {
    this.#project = project;
    if (await this.#isRight(() => refreshTypes(project, this.#invocation))) this.#start();
  }

  /** Resolves when the worker has ended by itself; never where there is none. */
  async exit(): Promise<Event> {
    const worker = this.#current;
    const code = await (worker?.exited ?? new Promise<never>(() => undefined));
    // One that was ended to begin another is no news.
    if (worker !== this.#current) return new Promise<never>(() => undefined);
    this.#current = undefined;
    return { kind: "exited", code };
  }

  /**
   * Ends the worker and begins another, unless what has changed is wrong: then it goes on as it is.
   *
   * @returns whether what has changed is right
   */
  async change(files: readonly string[]): Promise<boolean> {
    const isRight = await this.#isRight(async () => {
      const project = readProject(this.#invocation);
      await refreshTypes(project, this.#invocation);
      this.#project = project;
    });
    if (!isRight) return false;
    const { io, signal } = this.#invocation;
    if (this.#current !== undefined) {
      say(io, "starting again; runs under way may finish first");
      await this.end();
    }
    if (signal.aborted) return true;
    if (files.some((path) => this.project.specs.includes(path))) await this.#devnet?.stop();
    this.#start();
    return true;
  }

  /** Ends it as a signal would: runs under way may finish within their grace. */
  async end(): Promise<void> {
    const worker = this.#current;
    this.#current = undefined;
    worker?.stop();
    await worker?.exited;
  }

  async #isRight(prepare: () => Promise<void>): Promise<boolean> {
    try {
      await prepare();
      return true;
    } catch (error) {
      if (!(error instanceof StartupError)) throw error;
      this.#invocation.io.err(`${error.message}\n`);
      const goesOn = this.#current === undefined ? "" : "the worker goes on as it was; ";
      say(this.#invocation.io, `${goesOn}waiting for the next change`);
      return false;
    }
  }

  #start(): void {
    const { io } = this.#invocation;
    this.#current = startChild({
      args: [...ownProgram(), "run", ...runArgs(this.#invocation)],
      cwd: io.cwd,
      env: { ...io.env, WEP__LOGGING__JSON: "true" },
      onLine: (line, stream) => {
        io[stream === "stdout" ? "out" : "err"](`${readableLine(line)}\n`);
        const url = urlIn(line);
        if (url !== undefined) this.#onListening(url);
      },
    });
  }

  #onListening(url: string): void {
    const { io } = this.#invocation;
    this.#hasListened = true;
    if (this.#devnet !== undefined) return this.#devnet.start(url, this.project.specs);
    const hint = hintOf(this.project, url, io);
    if (hint !== this.#hint) say(io, `to send it a task, in another terminal: ${hint}`);
    this.#hint = hint;
  }
}

/** Where a worker listens, by the line of its log that says so. */
function urlIn(line: string): string | undefined {
  if (!line.startsWith("{") || !line.includes('"wep listening"')) return undefined;
  const { host, port } = JSON.parse(line) as { readonly host?: string; readonly port?: number };
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable?.includes(":") === true ? `[${reachable}]` : reachable}:${port}`;
}

/** `undefined` where there is none, and where it is wrong just now: that is told when it has been changed. */
function firstActivity([path]: readonly string[], io: Io): ActivitySpec | undefined {
  try {
    return path === undefined ? undefined : readSpec(path, io.cwd).activities[0];
  } catch (error) {
    if (error instanceof StartupError) return undefined;
    throw error;
  }
}

/** A command that sends a task, as far as it can be known. */
function hintOf({ specs, config }: Project, url: string, io: Io): string {
  const activity = firstActivity(specs, io);
  const where =
    url === "http://127.0.0.1:7070"
      ? ""
      : ` --url ${config.server.tls.enabled ? url.replace("http:", "https:") : url}`;
  if (activity === undefined) return `npx wep send KIND${where}`;
  const inputs = existsSync(join(io.cwd, "sample.json"))
    ? " --input sample.json"
    : activity.inputs
        .map(({ name, isObjectKey }) => ` --input ${name}=${isObjectKey ? "@FILE" : "VALUE"}`)
        .join("");
  return `npx wep send ${activity.kind}${inputs}${where}`;
}

async function changeOf(watch: SourceWatch): Promise<Event> {
  return { kind: "changed", files: await watch.changed() };
}

function stopOf(signal: AbortSignal): Promise<Event> {
  return new Promise((resolve) => {
    const stop = () => resolve({ kind: "stopped" });
    process.stdout.once("error", stop); // nobody reads it any more
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** Under npm, which tells only the shell between that it is to end; never resolves elsewhere. */
async function parentGone({ env }: Io, signal: AbortSignal): Promise<Event> {
  if (env["npm_lifecycle_event"] === undefined) return new Promise(() => undefined);
  const parent = process.ppid;
  while (process.ppid === parent && !signal.aborted) await systemClock.sleep(PARENT_CHECK_MS, signal);
  return { kind: "stopped" };
}

function say(io: Io, text: string): void {
  io.out(`wep dev: ${text}\n`);
}
