import type { Fate } from "../domain/garbage.ts";
import type { OpenMultipart, StoredObject } from "../storage-ports.ts";
import type { Io } from "./command.ts";
import type { Judged, SurveyPage } from "./storage-survey.ts";
import { formatAge, formatBytes } from "./table.ts";

const HEAD = ["FOR", "SIZE", "AGE", "OBJECT"] as const;
/** Of all but the last column, as wide as what stands there may be: the rows to come are not known. */
const WIDTHS = ["garbage: superseded".length, "in parts".length, "9999d".length] as const;

/** Prints what is stored, page by page, and sums it up. */
export class StoragePrinter {
  readonly #io: Io;
  readonly #isJson: boolean;
  readonly #all = new Sum();
  readonly #garbage = new Sum();

  constructor(io: Io, isJson: boolean) {
    this.#io = io;
    this.#isJson = isJson;
  }

  /** Whether nothing was printed. */
  get isEmpty(): boolean {
    return this.#all.objects + this.#all.uploads === 0;
  }

  print({ objects, uploads }: SurveyPage): void {
    if (!this.#isJson && this.isEmpty && objects.length + uploads.length > 0) this.#io.out(lineOf(HEAD));
    for (const object of objects) this.#io.out(this.#isJson ? objectJson(object) : this.#objectRow(object));
    for (const upload of uploads) this.#io.out(this.#isJson ? uploadJson(upload) : this.#uploadRow(upload));
    this.#all.add({ objects, uploads });
    const isGarbage = ({ fate }: { readonly fate: Fate }) => fate.isGarbage;
    this.#garbage.add({ objects: objects.filter(isGarbage), uploads: uploads.filter(isGarbage) });
  }

  /** After the last page. */
  end(): void {
    if (this.#isJson) return;
    if (this.isEmpty) this.#io.err("There is nothing of that under runs/.\n");
    else {
      const [all, garbage] = [this.#all, this.#garbage];
      this.#io.out(
        `\n${all.objects} objects (${formatBytes(all.sizeBytes)}) and ${all.uploads} unfinished uploads; garbage: ${garbage.objects} objects (${formatBytes(garbage.sizeBytes)}) and ${garbage.uploads} uploads\n`,
      );
    }
  }

  #objectRow({ objectKey, sizeBytes, modifiedAtMs, fate }: Judged<StoredObject>): string {
    return lineOf([wordOf(fate), formatBytes(sizeBytes), this.#age(modifiedAtMs), objectKey]);
  }

  #uploadRow({ objectKey, startedAtMs, fate }: Judged<OpenMultipart>): string {
    return lineOf([wordOf(fate), "in parts", this.#age(startedAtMs), objectKey]);
  }

  #age(atMs: number): string {
    return formatAge(this.#io.clock.nowMs() - atMs);
  }
}

class Sum {
  objects = 0;
  sizeBytes = 0;
  uploads = 0;

  add({ objects, uploads }: SurveyPage): void {
    this.objects += objects.length;
    this.sizeBytes += bytesOf(objects);
    this.uploads += uploads.length;
  }
}

/** All of them together. */
export function bytesOf(objects: readonly Pick<StoredObject, "sizeBytes">[]): number {
  return objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function objectJson({ objectKey, sizeBytes, modifiedAtMs, fate }: Judged<StoredObject>): string {
  return `${JSON.stringify({ kind: "object", objectKey, sizeBytes, modifiedAtMs, ...fate })}\n`;
}

function uploadJson({ objectKey, uploadId, startedAtMs, fate }: Judged<OpenMultipart>): string {
  return `${JSON.stringify({ kind: "upload", objectKey, uploadId, startedAtMs, ...fate })}\n`;
}

function lineOf(cells: readonly string[]): string {
  return `${cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join("  ")}\n`;
}

function wordOf({ isGarbage, why }: Fate): string {
  return isGarbage ? `garbage: ${why.replace("_", " ")}` : why;
}
