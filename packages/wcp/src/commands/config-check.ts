import { createLogger, EXIT, StartupError } from "@subnet-worker/kit";
import { originsOf, type SettingOrigin } from "@subnet-worker/kit/config";
import { redactUrl } from "../adapters/rpc/json-rpc.ts";
import { type Config, CONFIG_SCHEMA, locateConfig } from "../config.ts";
import { keySourceOf, readSpecs } from "../open.ts";
import { openWepTransport } from "../open-wep.ts";
import { configLocation, type Invocation, loadCommandConfig, type RunCommand } from "./command.ts";
import { formatDuration, formatTable } from "./table.ts";

interface ShownSetting {
  readonly setting: string;
  readonly value: string;
  readonly from: string;
}

/**
 * `wcp config check`: the configuration as the node would run with it, with where each value comes from.
 * Secrets are masked, and of a URL that may carry a key only the host is shown. Opens neither key nor
 * database and asks no network; `wcp doctor` does.
 */
export const checkConfig: RunCommand = async (invocation) => {
  const config = loadCommandConfig(invocation);
  const shown = shownSettings(invocation, config);
  if (invocation.options["json"] === true) invocation.io.out(`${JSON.stringify(shown, undefined, 2)}\n`);
  else {
    const rows = shown.map(({ setting, value, from }) => [setting, from, value]);
    invocation.io.out(formatTable(["SETTING", "FROM", "VALUE"], rows));
  }
  const key = keySourceOf(config);
  if (key.kind === "none") throw new StartupError(EXIT.badConfig, key.problem);
  readSpecs(config);
  const { clock } = invocation.io;
  openWepTransport(config, { clock, logger: createLogger({ name: "wcp", level: "silent" }) })[
    Symbol.dispose
  ]();
  return EXIT.ok;
};

/** Every setting that is in effect, masked. */
function shownSettings(invocation: Invocation, config: Config): readonly ShownSetting[] {
  const input = locateConfig(configLocation(invocation));
  const words = {
    default: "default",
    file: input.fileName,
    environment: "environment",
  } as const;
  return originsOf(CONFIG_SCHEMA, input).map((setting) => ({
    setting: setting.path,
    value: maskedValue(setting, valueAt(config, setting.path)),
    from: setting.origin === "environment" ? setting.env : words[setting.origin],
  }));
}

function valueAt(config: Config, path: string): unknown {
  return path.split(".").reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config);
}

function maskedValue({ isSensitive, format }: SettingOrigin, value: unknown): string {
  if (isSensitive) return value === "" ? "not set" : "set, not shown";
  const parts = (Array.isArray(value) ? value : [value]) as readonly unknown[];
  const texts = parts.map((part) =>
    maskedUrl(format === "duration" ? formatDuration(Number(part)) : String(part)),
  );
  const text = texts.join(", ");
  return text === "" ? "none" : text;
}

/** Hosted endpoints carry their key in the path, the query or as a password. */
function maskedUrl(text: string): string {
  if (!/^[a-z+]+:\/\//i.test(text) || !URL.canParse(text)) return text;
  const { pathname, search, username, password } = new URL(text);
  const isPlain = pathname.length <= 1 && search === "" && username === "" && password === "";
  return isPlain ? text : `${redactUrl(text)}/...`;
}
