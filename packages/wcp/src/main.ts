#!/usr/bin/env node
import "./small-heap.ts";
import { EXIT, runProcess, StartupError, systemClock } from "@subnet-worker/kit";
import { parseCommand } from "./cli.ts";
import { asStartupError, processIo } from "./commands/command.ts";
import { keepHeapSmall } from "./heap-watch.ts";

// More than the longest drain, which has a deadline of its own; after that something hangs.
const CLOSING_MS = 5_000;
let deadlineMs = CLOSING_MS;
let exitCode: number = EXIT.ok;

await runProcess(
  async (signal) => {
    const parsed = parseCommand(process.argv.slice(2));
    if (parsed.kind === "print") {
      process.stdout.write(parsed.text);
      return;
    }
    const io = processIo();
    using _heap = parsed.name === "run" ? keepHeapSmall(systemClock) : undefined;
    try {
      const run = await parsed.load();
      const setDrain = (ms: number) => (deadlineMs = ms + CLOSING_MS);
      exitCode = await run({ ...parsed.input, io, signal, setDrain });
    } catch (error) {
      const known = asStartupError(error);
      // The node's last words are JSON for its supervisor; a person reads what the other commands say.
      if (parsed.name === "run" || !(known instanceof StartupError)) throw known;
      io.err(`wcp: ${known.message}\n`);
      exitCode = known.exitCode;
    }
  },
  { deadlineMs: () => deadlineMs },
);
if (exitCode !== EXIT.ok) process.exitCode = exitCode;
