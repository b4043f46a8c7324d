import { EXIT, StartupError } from "@subnet-worker/kit";
import { ConfigError } from "@subnet-worker/kit/config";
import { compose } from "../compose.ts";
import { type Config, type ConfigInput, readConfig } from "../config.ts";
import { type Invocation, textOption, textsOption } from "./command.ts";

/** Options, and the settings they stand for. */
const SETTINGS = {
  host: "WEP__SERVER__HOST",
  port: "WEP__SERVER__PORT",
  "health-port": "WEP__HEALTH__PORT",
} as const;

/** `wep run`: serves handlers until the signal, then drains. */
export async function run(invocation: Invocation): Promise<number> {
  const config = configOf(invocation);
  stopWithParent();
  invocation.setDrain(config.runtime.graceful_shutdown_s * 1_000);
  await using app = await compose(config);
  await app.run(invocation.signal);
  return EXIT.ok;
}

/** Where the configuration of a run is, and what its options say over it. */
export function configInputOf(invocation: Pick<Invocation, "options" | "io">): ConfigInput {
  const { env, cwd } = invocation.io;
  const given = Object.entries(SETTINGS).flatMap(([option, variable]) => {
    const value = textOption(invocation, option);
    return value === undefined ? [] : [[variable, value] as const];
  });
  return {
    configPath: textOption(invocation, "config"),
    handlerModules: textsOption(invocation, "handlers"),
    env: { ...env, ...Object.fromEntries(given) },
    cwd,
  };
}

/** The configuration of a run. @throws {StartupError} 78 with everything that is wrong */
export function configOf(invocation: Pick<Invocation, "options" | "io">): Config {
  try {
    return readConfig(configInputOf(invocation));
  } catch (error) {
    if (error instanceof ConfigError) throw new StartupError(EXIT.badConfig, error.message, { cause: error });
    throw error;
  }
}

/** The options of a run, to start another with. */
export function runArgs(invocation: Pick<Invocation, "options">): readonly string[] {
  const modules = textsOption(invocation, "handlers").flatMap((module) => ["--handlers", module]);
  const others = ["config", ...Object.keys(SETTINGS)].flatMap((option) => {
    const value = textOption(invocation, option);
    return value === undefined ? [] : [`--${option}`, value];
  });
  return [...modules, ...others];
}

/** Who started this process with a channel to it may be killed, and can then say nothing. */
function stopWithParent(): void {
  if (process.channel === undefined) return;
  process.channel.unref();
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
}
