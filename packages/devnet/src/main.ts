#!/usr/bin/env node
import { EXIT } from "@subnet-worker/kit";
import { parseCommand, USAGE } from "./cli.ts";
import { runCommand } from "./commands.ts";
import { exitCodeOf, textOf } from "./errors.ts";
import { watchInterrupts } from "./interrupts.ts";
import { createScreen } from "./view/screen.ts";

using interrupts = watchInterrupts();
const screen = createScreen(process.stdout);
try {
  const command = parseCommand(process.argv.slice(2));
  if (command.kind === "help") {
    screen.line(USAGE.trimEnd());
  } else {
    const { argv, execArgv, env } = process;
    const invocation = { argv, execArgv, env, cwd: process.cwd() };
    await runCommand(command, { screen, signal: interrupts.signal, invocation });
  }
  process.exitCode = EXIT.ok;
} catch (error) {
  screen.settle();
  process.stderr.write(`${textOf(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
