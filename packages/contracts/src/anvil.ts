import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "@subnet-worker/kit";
import { ContractsError } from "./contracts-error.ts";

/** How anvil is started. */
export interface AnvilOptions {
  /** Default: one that the system chooses, so that no two anvils ever race for it. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Mine a block every so many seconds. Default: at once for every transaction. */
  readonly blockTimeS?: number;
  /** Mine only when told to (`evm_mine`). Default false. */
  readonly noMining?: boolean;
  /** Default 31337. */
  readonly chainId?: number;
  /** More of anvil's own arguments. */
  readonly args?: readonly string[];
  /**
   * In a process group of its own, not ended with this process. Default false: it is killed when this
   * process exits.
   */
  readonly detached?: boolean;
  /** Told the process id as soon as there is one, before anvil answers. */
  readonly onSpawn?: (pid: number) => void;
  /** How long anvil may take to answer. Default 20000. */
  readonly timeoutMs?: number;
}

/** A running anvil. Disposing of it ends the process and waits until it is gone. */
export interface Anvil extends AsyncDisposable {
  readonly url: string;
  readonly wsUrl: string;
  readonly port: number;
  readonly pid: number;
}

const DEFAULT_TIMEOUT_MS = 20_000;
const START_POLL_MS = 10;
const KILL_AFTER_MS = 3_000;
const FIRST_ANSWER_MS = 5_000;

/**
 * Starts anvil, from the npm package `@foundry-rs/anvil`, and resolves once it answers.
 *
 * @throws ContractsError `ANVIL_NOT_FOUND`, `ANVIL_PORT_TAKEN`, `ANVIL_EXITED` or `ANVIL_TIMEOUT`.
 *
 * @example
 * ```ts
 * import { startAnvil } from "@subnet-worker/contracts/anvil";
 * import { deployContracts } from "@subnet-worker/contracts/deploy";
 *
 * await using anvil = await startAnvil();
 * const contracts = await deployContracts({}, { rpcUrl: anvil.url });
 * ```
 */
export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const { host = "127.0.0.1", port: wantedPort = 0 } = options;
  const process_ = spawnAnvil(options, argumentsOf(options, { host, port: wantedPort }));
  try {
    const port = await process_.listening(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const url = `http://${authority}`;
    await silence(url);
    return {
      url,
      wsUrl: `ws://${authority}`,
      port,
      pid: process_.pid,
      [Symbol.asyncDispose]: () => process_.end(),
    };
  } catch (cause) {
    await process_.end();
    throw cause;
  }
}

function argumentsOf(
  options: AnvilOptions,
  listen: { readonly host: string; readonly port: number },
): string[] {
  const args = ["--host", listen.host, "--port", String(listen.port), "--color", "never"];
  if (options.chainId !== undefined) args.push("--chain-id", String(options.chainId));
  if (options.blockTimeS !== undefined) args.push("--block-time", String(options.blockTimeS));
  if (options.noMining === true) args.push("--no-mining");
  return [...args, ...(options.args ?? [])];
}

interface AnvilProcess {
  readonly pid: number;
  /** The port, once anvil says that it listens. */
  listening(timeoutMs: number): Promise<number>;
  end(): Promise<void>;
}

function spawnAnvil(options: AnvilOptions, args: readonly string[]): AnvilProcess {
  const binary = findBinary();
  // Its output goes to a file because it must outlive this process when detached: on a broken pipe anvil
  // dies at its next line.
  const folder = mkdtempSync(path.join(tmpdir(), "anvil-"));
  const logFile = path.join(folder, "anvil.log");
  const log = openSync(logFile, "w");
  const child = spawn(binary, args, { stdio: ["ignore", log, log], detached: options.detached === true });
  closeSync(log);
  const gone = Promise.withResolvers<void>();
  let spawnError: Error | undefined;
  child.once("exit", () => gone.resolve());
  child.once("error", (error) => {
    spawnError = error;
    gone.resolve();
  });
  if (child.pid !== undefined) options.onSpawn?.(child.pid);
  if (options.detached === true) child.unref();
  const killWithUs = () => child.kill("SIGKILL");
  if (options.detached !== true) process.once("exit", killWithUs);

  const failure = () => startFailure({ binary, args, spawnError, output: readFileSync(logFile, "utf8") });
  return {
    pid: child.pid ?? 0,
    async listening(timeoutMs) {
      const deadlineMs = systemClock.monotonicMs() + timeoutMs;
      for (;;) {
        const port = /^Listening on .*:(\d+)$/m.exec(readFileSync(logFile, "utf8"))?.[1];
        if (port !== undefined) {
          // Nobody reads on. Windows cannot delete what is open; there it goes when anvil does.
          if (process.platform !== "win32") rmSync(folder, { recursive: true, force: true });
          return Number(port);
        }
        if (spawnError !== undefined || hasEnded(child)) throw failure();
        if (systemClock.monotonicMs() > deadlineMs) {
          throw new ContractsError(
            "ANVIL_TIMEOUT",
            `anvil did not listen within ${timeoutMs} ms: is the machine overloaded?`,
            { details: { args } },
          );
        }
        await systemClock.sleep(START_POLL_MS);
      }
    },
    async end() {
      process.off("exit", killWithUs);
      if (spawnError === undefined && !hasEnded(child)) {
        // Or a process with nothing else to do would end while it waits here.
        child.ref();
        child.kill("SIGTERM");
        using _kill = systemClock.timer(KILL_AFTER_MS, killWithUs);
        await gone.promise;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function startFailure(attempt: {
  readonly binary: string;
  readonly args: readonly string[];
  readonly spawnError: Error | undefined;
  readonly output: string;
}): ContractsError {
  const { binary, args, spawnError, output } = attempt;
  const details = { binary, args, output };
  if (/address already in use/i.test(output)) {
    const port = args[args.indexOf("--port") + 1];
    return new ContractsError(
      "ANVIL_PORT_TAKEN",
      `port ${port} is taken: stop what uses it, choose another, or leave the port out to get a free one`,
      { details },
    );
  }
  const why = spawnError?.message ?? (output.trim() || "it printed nothing");
  return new ContractsError("ANVIL_EXITED", `anvil could not start: ${why}`, { cause: spawnError, details });
}

const PLATFORMS: Readonly<Record<string, string>> = { darwin: "darwin", linux: "linux", win32: "win32" };
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The binary itself, not the package's launcher script: killing the launcher would leave anvil running. */
function findBinary(): string {
  const platform = `${PLATFORMS[process.platform] ?? process.platform}-${ARCHITECTURES[process.arch] ?? process.arch}`;
  const name = process.platform === "win32" ? "anvil.exe" : "anvil";
  try {
    const launcher = createRequire(import.meta.url).resolve("@foundry-rs/anvil/package.json");
    return createRequire(launcher).resolve(`@foundry-rs/anvil-${platform}/bin/${name}`);
  } catch (cause) {
    throw new ContractsError(
      "ANVIL_NOT_FOUND",
      `no anvil for ${platform}: install the npm package @foundry-rs/anvil, with its optional dependencies`,
      { cause },
    );
  }
}

/** Stops anvil's line per request, which nobody reads and which would fill the disk. */
async function silence(url: string): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "anvil_setLoggingEnabled", params: [false] }),
    signal: AbortSignal.timeout(FIRST_ANSWER_MS),
  });
  await response.body?.cancel();
  if (!response.ok)
    throw new ContractsError("ANVIL_EXITED", `${url} answers ${response.status}: is it anvil?`);
}
