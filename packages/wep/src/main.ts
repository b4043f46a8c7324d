#!/usr/bin/env node
import { EXIT, runProcess, StartupError, systemClock } from "@subnet-worker/kit";
import { ConfigError } from "@subnet-worker/kit/config";
import { parseCommand } from "./cli.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

/** Beyond the runs' grace: aborting them, last completions, closing sockets. */
const CLOSING_MS = 15_000;
let deadlineMs = CLOSING_MS;
let exitCode: number = EXIT.ok;

await runProcess(main, { deadlineMs: () => deadlineMs });
if (exitCode !== EXIT.ok) process.exitCode = exitCode;
// A handler that ignores its signal must not keep a drained process alive.
systemClock.timer(1_000, () => process.exit(EXIT.fault));

async function main(signal: AbortSignal): Promise<void> {
  const command = parseCommand(process.argv.slice(2));
  if (command.kind === "print") {
    process.stdout.write(command.text);
    return;
  }
  if (command.kind === "tail") {
    const { tailToStdout } = await import("./commands/tail.ts");
    exitCode = await tailToStdout(command, signal);
    return;
  }
  const config = configure({ ...command, env: { ...process.env, ...command.env }, cwd: process.cwd() });
  deadlineMs = config.runtime.graceful_shutdown_s * 1_000 + CLOSING_MS;
  await using app = await compose(config);
  await app.run(signal);
}

function configure(input: Parameters<typeof readConfig>[0]): ReturnType<typeof readConfig> {
  try {
    return readConfig(input);
  } catch (error) {
    if (error instanceof ConfigError) throw new StartupError(EXIT.badConfig, error.message, { cause: error });
    throw error;
  }
}
