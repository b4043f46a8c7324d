// A process that takes the lock on a key, says so, and keeps it until it is killed.
import { lockKey, thisProcess } from "../src/adapters/sqlite/process-lock.ts";

const [wallet = "", dir = "", startedAtMs = "0"] = process.argv.slice(2);
const env = { SUBNET_WORKER_LOCK_DIR: dir };
// Held by the process, not by this name: nothing may release it.
export const lock: Disposable = lockKey(
  { wallet, chainId: 31_337n, env, databaseDir: dir },
  thisProcess(Number(startedAtMs)),
);
process.stdout.write("held\n");
process.stdin.resume();
