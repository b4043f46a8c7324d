import type { Clock, Logger } from "@subnet-worker/kit";
import type { InputDescriptor } from "@subnet-worker/protocol";
import type { UploadedObject } from "./context.ts";
import { type DownloadDeps, openInputFile, openObject } from "./download.ts";
import type { Ask, Grant, OpenUpload, Written } from "./grant.ts";
import type { InputFile } from "./input-file.ts";
import { removePartial } from "./save-file.ts";
import type { TransferSettings } from "./transfer-retry.ts";
import { Turnstile } from "./turnstile.ts";
import { type Upload, type UploadDeps, uploadObject } from "./upload.ts";

/** What one run reads from storage and writes there. */
export interface Transfers {
  openInput(descriptor: InputDescriptor): InputFile;
  download(objectKey: string): InputFile;
  upload(upload: Upload): Promise<UploadedObject>;
  /** What was written, each object once. */
  readonly written: readonly Written[];
  /** The handler has returned: ends what is under way. */
  end(): void;
  /** Removes what is left on disk. */
  cleanUp(): Promise<void>;
}

export interface TransfersDeps {
  readonly clock: Clock;
  readonly settings: TransferSettings;
  readonly log: Logger;
  /** Of the run. */
  readonly signal: AbortSignal;
  readonly requestGrant: (ask: Ask) => Promise<Grant>;
  readonly abandonUpload: (upload: OpenUpload) => void;
  readonly scratchDir: () => Promise<string>;
}

/** More are not told of, so that their list stays far below the size of a message. */
const MOST_TOLD = 10_000;

/** Requests of one run under way; worker clients take a bounded number. */
const MOST_ASKS = 32;

/** What is told who is still at work when the handler has returned. */
export function returnedBefore(): Error {
  return new Error("[CANCELLED] the handler returned before this was done; await it");
}

/** Reads and writes through URLs that the worker client signs. */
export class BrokeredTransfers implements Transfers {
  readonly #deps: TransfersDeps;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #written = new Map<string, Written>();
  readonly #underWay = new Map<Promise<Written>, string>();
  readonly #openUploads = new Set<OpenUpload>();
  readonly #partialFiles = new Set<string>();
  readonly #asks = new Turnstile(MOST_ASKS);

  constructor(deps: TransfersDeps) {
    this.#deps = deps;
    this.#signal = AbortSignal.any([deps.signal, this.#ended.signal]);
  }

  get written(): readonly Written[] {
    return [...this.#written.values()].slice(-MOST_TOLD);
  }

  openInput(descriptor: InputDescriptor): InputFile {
    return openInputFile(descriptor, this.#downloadDeps);
  }

  download(objectKey: string): InputFile {
    return openObject(objectKey, this.#downloadDeps);
  }

  async upload(upload: Upload): Promise<UploadedObject> {
    const writing = uploadObject(upload, this.#uploadDeps);
    this.#underWay.set(writing, upload.name);
    try {
      const { objectKey, sizeBytes, sha256 } = await writing;
      // Written again, it is the newest.
      this.#written.delete(objectKey);
      // A copy: a digest may lie in a buffer that is much larger, and all of it would go to another thread.
      this.#written.set(objectKey, { objectKey, sizeBytes, sha256: new Uint8Array(sha256) });
      return { objectKey, sizeBytes, sha256: Buffer.from(sha256).toString("hex") };
    } finally {
      this.#underWay.delete(writing);
    }
  }

  end(): void {
    for (const name of this.#underWay.values()) {
      this.#deps.log.warn({ object: name }, "upload ended: its handler returned first; await ctx.upload()");
    }
    for (const upload of this.#openUploads) this.#deps.abandonUpload(upload);
    this.#openUploads.clear();
    this.#ended.abort(returnedBefore());
  }

  async cleanUp(): Promise<void> {
    for (const path of this.#partialFiles) await removePartial(path);
  }

  readonly #requestGrant = (ask: Ask): Promise<Grant> =>
    this.#asks.pass(() => {
      this.#signal.throwIfAborted();
      return this.#deps.requestGrant(ask);
    });

  get #downloadDeps(): DownloadDeps {
    const { clock, settings } = this.#deps;
    const requestGrant = this.#requestGrant;
    return { clock, settings, requestGrant, signal: this.#signal, partialFiles: this.#partialFiles };
  }

  get #uploadDeps(): UploadDeps {
    const { clock, settings, scratchDir } = this.#deps;
    const requestGrant = this.#requestGrant;
    return {
      clock,
      settings,
      requestGrant,
      scratchDir,
      signal: this.#signal,
      onBegun: (upload) => this.#openUploads.add(upload),
      onOver: (upload, how) => {
        // The end of the run may have given it up already.
        if (this.#openUploads.delete(upload) && how === "abandoned") this.#deps.abandonUpload(upload);
      },
    };
  }
}
