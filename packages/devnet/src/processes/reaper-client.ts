import { spawn } from "node:child_process";
import { once } from "node:events";
import { childEnvironment, type Environment } from "./child-env.ts";
import { ownEntryPoint } from "./entry-point.ts";

const MARK_NAME = "SUBNET_DEVNET_RUN";

/** Ends what is left of the network when this process dies without a chance to. */
export interface Reaper extends AsyncDisposable {
  readonly pid: number;
  /** What every child must have in its environment, so that the reaper can find it. */
  readonly mark: Environment;
  /** Resolves when the reaper ends without having been asked to; never otherwise. */
  readonly lost: Promise<void>;
  /** Adds a process group to what is killed. */
  watch(group: number): void;
  /** Takes a process group that has ended off the list. */
  forget(group: number): void;
}

/**
 * Starts the reaper. Start it before the first child.
 *
 * @param runId unlike that of any other devnet on the machine
 */
export async function startReaper(runId: string): Promise<Reaper> {
  const reaper = spawn(process.execPath, [...ownEntryPoint("processes/reaper"), `${MARK_NAME}=${runId}`], {
    detached: true,
    env: childEnvironment({}),
    stdio: ["pipe", "ignore", "ignore"],
  });
  await once(reaper, "spawn");
  // Once it is gone there is nobody to write to; `lost` tells those who care.
  reaper.stdin.on("error", () => {});
  let asked = false;
  const lost = Promise.withResolvers<void>();
  const exited = once(reaper, "exit");
  reaper.once("exit", () => {
    if (!asked) lost.resolve();
  });
  return {
    pid: reaper.pid as number,
    mark: { [MARK_NAME]: runId },
    lost: lost.promise,
    watch: (group) => void reaper.stdin.write(`+${group}\n`),
    forget: (group) => void reaper.stdin.write(`-${group}\n`),
    async [Symbol.asyncDispose]() {
      asked = true;
      reaper.stdin.end();
      await exited;
    },
  };
}
