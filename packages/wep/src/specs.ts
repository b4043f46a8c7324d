import { readFileSync } from "node:fs";
import { type ActivitySpec, parseSpec, SpecError } from "@subnet-worker/activity-spec";
import { EXIT, type Logger, StartupError } from "@subnet-worker/kit";
import { ConfigError } from "@subnet-worker/kit/config";
import type { HandlerInfo } from "@subnet-worker/wep-sdk";
import type { Config, SpecEntry } from "./config.ts";

/**
 * Holds the configured specs against their files and against the handlers there are.
 *
 * @throws {StartupError} with exit code 78 and every problem: a file that is no spec
 *   or does not have the activity; with `strict_specs` also a handler without a spec
 *   or a spec without a handler, which is only a warning otherwise
 */
export function checkSpecs(specs: Config["specs"], handlers: readonly HandlerInfo[], log: Logger): void {
  const problems = specs.list.flatMap(problemsOf);
  const orphans = specs.list.filter((spec) => !handlers.some((handler) => isSame(spec, handler)));
  if (specs.strict_specs) {
    const bare = handlers.filter((handler) => !specs.list.some((spec) => isSame(spec, handler)));
    problems.push(...bare.map(withoutSpec), ...orphans.map(withoutHandler));
  } else {
    for (const spec of orphans) log.warn(withoutHandler(spec));
  }
  if (problems.length > 0) throw new StartupError(EXIT.badConfig, new ConfigError(problems).message);
}

function problemsOf(spec: SpecEntry): string[] {
  let activities: readonly ActivitySpec[];
  try {
    activities = parseSpec(readFileSync(spec.path, "utf8"), { fileName: spec.path }).activities;
  } catch (error) {
    if (error instanceof SpecError) return [`specs.list: ${error.message}`];
    const why = error instanceof Error ? error.message : String(error);
    return [`specs.list: ${spec.path} cannot be read: ${why}; paths are relative to the configuration file`];
  }
  if (activities.some((activity) => isSame(spec, activity))) return [];
  const there = activities.map(nameOf).join(", ");
  return [`specs.list: ${spec.path} has no ${nameOf(spec)}, only ${there}; correct kind, version or path`];
}

interface Named {
  readonly kind: string;
  readonly version: string;
}

function isSame(a: Named, b: Named): boolean {
  return a.kind === b.kind && a.version === b.version;
}

function nameOf({ kind, version }: Named): string {
  return `${kind} ${version}`;
}

function withoutSpec(handler: Named): string {
  return `handler ${nameOf(handler)} has no spec; add its kind, version and path to specs.list, or set specs.strict_specs to false`;
}

function withoutHandler(spec: Named): string {
  return `specs.list: ${nameOf(spec)} has no handler; name its module in handlers.modules or with --handlers, or take it out of the list`;
}
