/**
 * Imported before all else for what it does: has the process keep little memory. Left alone, V8 lets a
 * process whose live objects take 35 MB grow to 400, since the machine has the memory, and malloc keeps
 * what it once had; but a node is one of many programs there.
 *
 * What V8 and malloc read only as a process begins is given by beginning again: the same process, with the
 * same id, arguments and open files, runs Node once more before anything is loaded. It allows a larger new
 * space than a small heap has; heap-watch.ts says when that is used.
 */
import { setHeapFlags } from "./heap-watch.ts";

const V8_FLAGS = ["--max-semi-space-size=16", "--v8-pool-size=1"];
const MALLOC = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_TRIM_THRESHOLD_: "65536",
  MALLOC_MMAP_THRESHOLD_: "65536",
};

setHeapFlags("small");

// An operator who sets MALLOC_ARENA_MAX knows better; and it tells the second beginning from the first.
const { execArgv, argv, env, execPath, platform } = process;
if (platform === "linux" && argv[2] === "run" && env["MALLOC_ARENA_MAX"] === undefined) {
  const args = [execPath, ...V8_FLAGS, ...execArgv, ...argv.slice(1)];
  process.execve?.(execPath, args, { ...env, ...MALLOC });
}
