/**
 * Plays the devnet for the reaper's test: starts a reaper and children, prints
 * their process ids, and waits to be killed.
 */
import { systemClock } from "@subnet-worker/kit";
import { startReaper } from "../src/processes/reaper-client.ts";
import { Supervisor } from "../src/processes/supervisor.ts";
import { STUBBORN } from "./_programs.ts";

const reaper = await startReaper(`test-${process.pid}`);
const supervisor = new Supervisor({ logDir: process.argv[2] ?? "" }, { reaper });
const spec = { command: process.execPath, args: STUBBORN, env: {}, drainMs: 1_000 };
const one = await supervisor.start({ ...spec, name: "one" });
// It has a child of its own, in a group of its own, that the supervisor never hears of.
const two = await supervisor.start({
  ...spec,
  name: "two",
  args: [
    "-e",
    `const { pid } = require("node:child_process").spawn(process.execPath, ${JSON.stringify(STUBBORN)}, { detached: true, stdio: "ignore" });
     console.log(pid); setTimeout(() => {}, 60_000);`,
  ],
});
const pids = { reaper: reaper.pid, one: one.pid, two: two.pid, logPath: two.logPath };
process.stdout.write(`${JSON.stringify(pids)}\n`);
await systemClock.sleep(60_000);
