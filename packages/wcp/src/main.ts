#!/usr/bin/env node
import { runProcess } from "@subnet-worker/kit";
import { parseCommand, runNode } from "./cli.ts";

// A little more than the drain itself is given, so that closing fits in.
const CLOSING_MS = 5_000;
let deadlineMs = CLOSING_MS;

await runProcess(
  async (signal) => {
    const command = parseCommand(process.argv.slice(2), process.env);
    if (command.kind === "print") {
      process.stdout.write(command.text);
      return;
    }
    deadlineMs = command.config.shutdown.deadline + CLOSING_MS;
    await runNode(command.config, signal);
  },
  { deadlineMs: () => deadlineMs },
);
