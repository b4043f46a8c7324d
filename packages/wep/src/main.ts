#!/usr/bin/env node
import { EXIT, runProcess, StartupError, systemClock } from "@subnet-worker/kit";
import { parseCommand } from "./cli.ts";
import { processIo } from "./commands/command.ts";

/** Beyond the runs' grace: aborting them, last completions, closing sockets. */
const CLOSING_MS = 15_000;
const ECHO_MS = 1_000;
let deadlineMs = CLOSING_MS;
let exitCode: number = EXIT.ok;
const argv = process.argv.slice(2);

const isUnderNpm = process.env["npm_lifecycle_event"] !== undefined;
await runProcess(main, { deadlineMs: () => deadlineMs, echoMs: isUnderNpm ? ECHO_MS : 0 });
if (exitCode !== EXIT.ok) process.exitCode = exitCode;
// A handler that ignores its signal must not keep a drained process alive.
systemClock.timer(1_000, () => process.exit(process.exitCode === EXIT.ok ? EXIT.fault : process.exitCode));

async function main(signal: AbortSignal): Promise<void> {
  const io = processIo();
  try {
    const parsed = parseCommand(argv);
    if (parsed.kind === "print") {
      io.out(parsed.text);
      return;
    }
    const run = await parsed.load();
    exitCode = await run({ ...parsed.input, io, signal, setDrain: (ms) => (deadlineMs = ms + CLOSING_MS) });
  } catch (error) {
    // A WEP's last words are JSON for its supervisor; a person reads what the other commands say.
    if (argv[0] === "run" || !(error instanceof StartupError)) throw error;
    io.err(`wep: ${error.message}\n`);
    exitCode = error.exitCode;
  }
}
