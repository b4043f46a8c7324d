import { ConfigError, originsOf } from "@subnet-worker/kit/config";
import { type Config, CONFIG_SCHEMA, type ConfigInput, locateConfig, readConfig } from "../../config.ts";
import { readSpecs } from "../../open.ts";
import { configLocation, type Invocation } from "../command.ts";
import { type Examination, fail, ok, type Outcome, reasonOf, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

/** Reads the configuration; `undefined` when that alone would stop the node. */
export async function examineConfiguration(
  invocation: Invocation,
  exam: Examination,
): Promise<Config | undefined> {
  let config: Config | undefined;
  await exam.check({
    id: "configuration.settings",
    group: "configuration",
    title: "settings",
    run: () => {
      try {
        const input = locateConfig(configLocation(invocation));
        config = readConfig(configLocation(invocation));
        return ok(describeInput(input));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        return fail(
          error.problems.join("\n"),
          "correct these first: everything else depends on them; wcp config check looks at nothing else",
        );
      }
    },
  });
  return config;
}

function describeInput(input: ConfigInput): string {
  const origins = originsOf(CONFIG_SCHEMA, input);
  const count = (origin: string) => origins.filter((setting) => setting.origin === origin).length;
  const file = input.exists ? `${count("file")} from ${input.fileName}` : `${input.fileName} does not exist`;
  return `${file}, ${count("environment")} from the environment`;
}

/** What can be said of the settings without asking anybody. */
export function examineSettings(patient: Patient): Promise<unknown> {
  const { exam, config } = patient;
  void exam.check({
    id: "configuration.transport",
    group: "configuration",
    title: "transport",
    run: () => lookAtTransport(config),
  });
  return exam.check({
    id: "configuration.specs",
    group: "configuration",
    title: "specs and queues",
    run: () => {
      try {
        patient.specs = readSpecs(config);
      } catch (error) {
        return fail(
          reasonOf(error),
          "without its spec nothing in a queue can be understood: correct specs.files or scheduler.queue_name",
        );
      }
      return ok(config.scheduler.queue_name.join(", "));
    },
  });
}

/** Keys travel in RPC URLs, and results over the stream. */
function lookAtTransport({ ethereum, wep_grpc_endpoint: weps }: Config): Outcome {
  const open = [...ethereum.rpc_url, ...ethereum.ws_url, ...weps].filter((url) => {
    const { protocol, hostname } = new URL(url);
    return (protocol === "http:" || protocol === "ws:") && !isPrivate(hostname);
  });
  const hosts = [...new Set(open.map((url) => new URL(url).host))];
  return hosts.length === 0
    ? ok("nothing leaves this network unencrypted")
    : warn(
        `unencrypted to ${hosts.join(", ")}`,
        "who is on the way can read and change it, a key in the URL included: use https and wss where the other side has them",
      );
}

function isPrivate(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, "");
  return (
    !name.includes(".") || // localhost, a container's name, IPv6
    /^(127|10)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^169\.254\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(
      name,
    ) ||
    /\.(local|internal|svc|lan|home\.arpa|cluster\.local)$/.test(name)
  );
}
