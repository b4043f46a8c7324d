import type { Logger } from "@subnet-worker/kit";
import type { UploadedObject, UploadOptions } from "./context.ts";
import { isTerminalError, WepError } from "./errors.ts";
import type { InputFile } from "./input-file.ts";

/** Before the JSON of a checkpoint that travels as it is. */
const INLINE = "json:";
/** Before the key of the object that holds its JSON. */
const OBJECT = "json@";

/** Longer ones become objects: the worker client keeps the last of each run in its database. */
const MAX_INLINE_CHARS = 1_024;

/** What a reference of {@link Checkpoints} says; `undefined`: it is not one. */
export function readCheckpointRef(
  ref: string,
): { readonly json: string } | { readonly objectKey: string } | undefined {
  if (ref.startsWith(INLINE)) return { json: ref.slice(INLINE.length) };
  return ref.startsWith(OBJECT) ? { objectKey: ref.slice(OBJECT.length) } : undefined;
}

/** The reference of a value that travels as it is, however large. */
export function inlineCheckpointRef(value: unknown): string {
  return `${INLINE}${toJson(value)}`;
}

export interface CheckpointDeps {
  /** What the attempt before this one left; `undefined`: nothing. */
  readonly ref: string | undefined;
  readonly log: Logger;
  readonly report: (ref: string) => PromiseLike<void>;
  readonly upload: (name: string, body: string, options: UploadOptions) => Promise<UploadedObject>;
  readonly download: (objectKey: string) => InputFile;
}

/** Saves where one run has got to, and finds where the one before it had. */
export class Checkpoints {
  readonly #deps: CheckpointDeps;
  /** Saves are one after the other: the last one called is the one that stays. */
  #lastSave: Promise<void> = Promise.resolve();
  #objects = 0;

  constructor(deps: CheckpointDeps) {
    this.#deps = deps;
  }

  save(value: unknown): Promise<void> {
    const json = toJson(value);
    const save = () => this.#save(json);
    // How the one before it ended is told to who called it.
    const saved = this.#lastSave.then(save, save);
    this.#lastSave = saved.catch(() => undefined);
    return saved;
  }

  async load(): Promise<unknown> {
    const { ref, log } = this.#deps;
    if (ref === undefined) return undefined;
    try {
      const json = await this.#jsonOf(ref);
      if (json !== undefined) return JSON.parse(json);
      log.warn("the checkpoint was not written by ctx.saveCheckpoint(), read ctx.checkpoint; begins anew");
    } catch (error) {
      // Storage that is down just now may be up for the next attempt.
      if (!isTerminalError(error) && !(error instanceof SyntaxError)) throw error;
      log.warn({ err: error }, "the checkpoint cannot be read any more; begins anew");
    }
    return undefined;
  }

  async #save(json: string): Promise<void> {
    const { report, upload } = this.#deps;
    if (json.length <= MAX_INLINE_CHARS) {
      await report(`${INLINE}${json}`);
      return;
    }
    // Two in turn: the one that was reported last is whole while the next is written, and
    // a run of days leaves two objects behind.
    this.#objects += 1;
    const name = `checkpoint-${((this.#objects - 1) % 2) + 1}.json`;
    const { objectKey } = await upload(name, json, { mediaType: "application/json" });
    await report(`${OBJECT}${objectKey}`);
  }

  async #jsonOf(ref: string): Promise<string | undefined> {
    const saved = readCheckpointRef(ref);
    if (saved === undefined || "json" in saved) return saved?.json;
    const bytes = await this.#deps.download(saved.objectKey).bytes();
    return new TextDecoder().decode(bytes);
  }
}

function toJson(value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value) as string | undefined;
  } catch (error) {
    throw new WepError("INVALID_CHECKPOINT", `a checkpoint has no JSON form: ${String(error)}`, {
      cause: error,
    });
  }
  if (json !== undefined) return json;
  throw new WepError("INVALID_CHECKPOINT", `a checkpoint cannot be ${typeof value}; save null for none`);
}
