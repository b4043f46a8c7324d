/**
 * A process of its own that outlives the devnet by a moment. It reads
 * `+<process group>` and `-<process group>` lines; when its input ends, for
 * whatever reason the devnet ended, it kills every group that is still on the
 * list, and on Linux everything that carries the mark given as its argument.
 *
 * Invariants:
 * 1. It leads its own session, so neither Ctrl-C nor a signal to the devnet's
 *    process group reaches it.
 * 2. The mark covers the moment between starting a child and having said so.
 */
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { systemClock } from "@subnet-worker/kit";

const SWEEPS = 3;
const BETWEEN_SWEEPS_MS = 100;

const groups = new Set<number>();
const mark = process.argv[2] ?? "";

process
  .on("SIGINT", () => {})
  .on("SIGTERM", () => {})
  .on("SIGHUP", () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const group = Number(line.slice(1));
  if (!Number.isSafeInteger(group) || group <= 1) continue;
  if (line.startsWith("+")) groups.add(group);
  else groups.delete(group);
}

for (const group of groups) kill(-group);
for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
  const left = await marked();
  for (const pid of left) kill(pid);
  if (sweep > 0 && left.length === 0) break;
  await systemClock.sleep(BETWEEN_SWEEPS_MS);
}

function kill(target: number): void {
  try {
    process.kill(target, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") process.exitCode = 1;
  }
}

/** Processes of this run by their environment; none where there is no /proc. */
async function marked(): Promise<number[]> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.map(Number).filter((pid) => Number.isSafeInteger(pid) && pid > 1 && pid !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // A process of another user cannot be read, and one that just ended is gone: neither is ours.
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      return mark !== "" && environment.split("\0").includes(mark) ? [pid] : [];
    }),
  );
  return found.flat();
}
