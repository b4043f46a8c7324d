import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DevnetError } from "./errors.ts";

/** What `demo` and `up` use when they are given nothing. */
export interface Sample {
  readonly handlers: readonly string[];
  readonly specs: readonly string[];
  readonly input: string;
}

/**
 * The audio sample of the repository.
 *
 * @throws {DevnetError} `BAD_USAGE` outside the repository, where there is none
 */
export function findSample(): Sample {
  const at = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
  const sample = {
    handlers: [at("examples/audio/src/handlers.ts")],
    specs: [at("activity-specs/audio.yaml")],
    input: at("examples/audio/samples/recording.wav"),
  };
  if ([...sample.handlers, ...sample.specs].every((path) => existsSync(path))) return sample;
  throw new DevnetError(
    "BAD_USAGE",
    "The audio sample is part of the repository only; give your own --handlers and --spec.",
    {
      exitCode: 78,
    },
  );
}
