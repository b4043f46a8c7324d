import { EXIT, StartupError } from "@subnet-worker/kit";
import type { Config } from "../config.ts";
import type { Fate } from "../domain/garbage.ts";
import type { StorageBroker } from "../storage-ports.ts";
import {
  durationOption,
  type Invocation,
  loadCommandConfig,
  type RunCommand,
  textOption,
} from "./command.ts";
import { bytesOf, StoragePrinter } from "./storage-printer.ts";
import {
  askStorage,
  openCommandStorage,
  Revisit,
  survey,
  type SurveyOptions,
  type SurveyPage,
} from "./storage-survey.ts";
import { formatBytes } from "./table.ts";

/**
 * Long enough for a run that was given up to have stopped writing, and for the node to have found out when it
 * gave up something by mistake.
 */
const LEAST_AGE = "1h";
const LEAST_UNKNOWN_AGE = "7d";

/** `wcp storage ls`: what runs have written, and what it is good for. */
export const listStorage: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  await using stack = new AsyncDisposableStack();
  const config = loadCommandConfig(invocation);
  const storage = await openCommandStorage(invocation, config, stack);
  const printer = new StoragePrinter(io, options["json"] === true);
  for await (const page of survey(invocation, { config, storage, options: surveyOptions(invocation) })) {
    printer.print(options["garbage"] === true ? garbageOf(page) : page);
  }
  printer.end();
  return EXIT.ok;
};

/** `wcp storage gc`: removes what is of no use, or says what that would be. */
export const collectGarbage: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  if (options["yes"] === true && options["dry-run"] === true) {
    throw new StartupError(EXIT.badConfig, "--yes and --dry-run contradict each other; leave one");
  }
  await using stack = new AsyncDisposableStack();
  const config = loadCommandConfig(invocation);
  const storage = await openCommandStorage(invocation, config, stack);
  const isWet = options["yes"] === true;
  const removal = new Removal({ config, storage, sinceMs: io.clock.nowMs() });
  const printer = new StoragePrinter(io, options["json"] === true);
  const found = survey(invocation, { config, storage, options: surveyOptions(invocation) });
  try {
    for await (const page of found) {
      const garbage = garbageOf(page);
      printer.print(garbage);
      if (isWet) await removal.remove(garbage);
    }
    printer.end();
  } finally {
    if (isWet) io.err(removal.summary()); // also when it ended half-way: what is gone is gone
  }
  if (!isWet && !printer.isEmpty) io.err("Nothing was removed; wcp storage gc --yes removes these.\n");
  return EXIT.ok;
};

/** @throws {StartupError} exit code 78 for options that make no sense together */
function surveyOptions(invocation: Invocation): SurveyOptions {
  const isUnknown = invocation.options["unknown"] === true;
  if (isUnknown && textOption(invocation, "older-than") === undefined) {
    throw new StartupError(
      EXIT.badConfig,
      `--unknown needs --older-than: this database knows nothing of those activities, which may be another node's, or settled and forgotten (db.retention), and their results may name these objects; --older-than ${LEAST_UNKNOWN_AGE} leaves what is younger`,
    );
  }
  const minAgeMs = durationOption(invocation, "older-than", LEAST_AGE);
  return { minAgeMs, unknownAgeMs: isUnknown ? minAgeMs : undefined };
}

function garbageOf({ objects, uploads }: SurveyPage): SurveyPage {
  const isGarbage = ({ fate }: { readonly fate: Fate }) => fate.isGarbage;
  return { objects: objects.filter(isGarbage), uploads: uploads.filter(isGarbage) };
}

interface RemovalParts {
  readonly config: Config;
  readonly storage: StorageBroker;
  /** When the survey began. */
  readonly sinceMs: number;
}

/**
 * Removes page by page, and leaves out what has begun again since the survey. A task may still begin again between
 * that look and the removal. Claimed anew, its run has an id of its own, and what it writes was not in the list.
 * The same run goes on only where the node takes up a claim that it had given up; it was over for an hour
 * then, and its result is held against storage before it is settled: a run is made again, nothing more.
 */
class Removal {
  readonly #parts: RemovalParts;
  readonly #removed = { objects: 0, sizeBytes: 0, uploads: 0 };
  #left = 0;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  async remove({ objects, uploads }: SurveyPage): Promise<void> {
    const { config, storage, sinceMs } = this.#parts;
    {
      using revisit = new Revisit(config, sinceMs);
      const some = objects.filter(revisit.isOver);
      this.#left += objects.length - some.length;
      if (some.length > 0) await askStorage(() => storage.remove(some.map(({ objectKey }) => objectKey)));
      this.#removed.objects += some.length;
      this.#removed.sizeBytes += bytesOf(some);
    }
    for (const upload of uploads) {
      using revisit = new Revisit(config, sinceMs);
      if (revisit.isOver(upload)) {
        await askStorage(() => storage.abortMultipart(upload.objectKey, upload.uploadId));
        this.#removed.uploads += 1;
      } else this.#left += 1;
    }
  }

  summary(): string {
    const { objects, sizeBytes, uploads } = this.#removed;
    const more = this.#left === 0 ? "" : ` Left ${this.#left}, whose activities began again meanwhile.`;
    return `Removed ${objects} objects (${formatBytes(sizeBytes)}) and ${uploads} unfinished uploads.${more}\n`;
  }
}
