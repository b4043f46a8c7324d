import { EXIT, StartupError } from "@subnet-worker/kit";
import type { Io } from "./command.ts";
import { type DevChild, startChild } from "./dev-child.ts";
import { installedProgram } from "./own-program.ts";

/** A local network beside a worker that is developed: chain, contracts, object store and node. */
export class DevnetBeside implements AsyncDisposable {
  readonly #io: Io;
  readonly #program: readonly string[];
  #current: DevChild | undefined;

  private constructor(io: Io, program: readonly string[]) {
    this.#io = io;
    this.#program = program;
  }

  /** @throws {StartupError} 78 where it is not installed, or there is no spec to register */
  static of(io: Io, specs: readonly string[]): DevnetBeside {
    const program = installedProgram(io.cwd, {
      packageName: "@subnet-worker/devnet",
      bin: "subnet-devnet",
    });
    if (program === undefined) {
      throw new StartupError(
        EXIT.badConfig,
        "[NO_DEVNET] --devnet needs the package @subnet-worker/devnet, which is not installed here; npm install --save-dev @subnet-worker/devnet",
      );
    }
    if (specs.length === 0) {
      throw new StartupError(
        EXIT.badConfig,
        "[NO_SPEC] --devnet needs a spec, by which activities are put on chain; write one, or name it in specs.list of wep.yaml",
      );
    }
    return new DevnetBeside(io, program);
  }

  /** Starts it for the worker at this URL, unless it runs: the network finds a worker that comes back by itself. */
  start(wepUrl: string, specs: readonly string[]): void {
    if (this.#current !== undefined) return;
    const io = this.#io;
    const devnet = startChild({
      args: [...this.#program, "up", "--wep", wepUrl, ...specs.flatMap((path) => ["--spec", path])],
      cwd: io.cwd,
      // As under npm: then it ends too when the process that started it is gone without a word.
      env: { npm_lifecycle_event: "wep dev", ...io.env },
      onLine: (line, stream) => io[stream === "stdout" ? "out" : "err"](`devnet | ${line}\n`),
    });
    this.#current = devnet;
    void this.#watch(devnet);
  }

  /** Ends it; the next start is a network from nothing. */
  async stop(): Promise<void> {
    const devnet = this.#current;
    this.#current = undefined;
    devnet?.stop();
    await devnet?.exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #watch(devnet: DevChild): Promise<void> {
    const code = await devnet.exited;
    if (this.#current !== devnet) return;
    this.#current = undefined;
    this.#io.out(`wep dev: the devnet ended with ${code}; it begins again when the worker does\n`);
  }
}
