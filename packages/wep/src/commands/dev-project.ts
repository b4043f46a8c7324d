import { existsSync } from "node:fs";
import { relative, resolve } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";
import type { Config } from "../config.ts";
import { type Invocation, textOption } from "./command.ts";
import { sourcesOf } from "./dev-sources.ts";
import { specFilesIn } from "./find-spec.ts";
import { configOf } from "./run.ts";
import { typesCommand } from "./spec-types.ts";

/** What `wep dev` runs, as its files are now. */
export interface Project {
  readonly config: Config;
  /** Absolute: of the configuration, or those in the directory where it names none. */
  readonly specs: readonly string[];
  /** All that it is made of, absolute. */
  readonly files: ReadonlySet<string>;
}

/**
 * Reads the configuration, and finds what belongs to the project.
 *
 * @throws {StartupError} 78 for a configuration that is wrong, or that names no handlers
 */
export function readProject(invocation: Invocation): Project {
  const { cwd } = invocation.io;
  const config = configOf(invocation);
  const { modules } = config.handlers;
  if (modules.length === 0) {
    throw new StartupError(
      EXIT.badConfig,
      "[NO_HANDLERS] there is nothing to run: name modules with --handlers, or as handlers.modules in wep.yaml; wep init starts a project",
    );
  }
  const listed = config.specs.list.map(({ path }) => path);
  const specs = listed.length > 0 ? [...new Set(listed)] : specFilesIn(cwd);
  const configPath = resolve(cwd, textOption(invocation, "config") ?? "wep.yaml");
  return { config, specs, files: new Set([configPath, ...specs, ...sourcesOf(modules)]) };
}

/**
 * Writes the types of specs again where they are no more what the specs say. Only those
 * that somebody has had written before, in their usual place.
 *
 * @throws {StartupError} for a spec that is wrong
 */
export async function refreshTypes({ specs }: Project, invocation: Invocation): Promise<void> {
  const { io } = invocation;
  for (const path of specs) {
    if (!existsSync(path.replace(/(?:\.activity)?\.ya?ml$/, ".activity.ts"))) continue;
    const out = (text: string) => {
      if (!text.includes("up to date")) io.out(text);
    };
    await typesCommand({ ...invocation, args: [relative(io.cwd, path)], options: {}, io: { ...io, out } });
  }
}
