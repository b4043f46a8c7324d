import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { Clock, Logger } from "@subnet-worker/kit";
import { parseEndpointUrl } from "./endpoint-url.ts";

export interface EndpointsFileDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The list has changed. */
  readonly onChange: () => void;
}

// Watching alone misses a file that is replaced through links, and works on no network file system.
const LOOK_AGAIN_MS = 3_000;
/** A file that is just being written may be empty, or end in the middle of a line. */
const SETTLED_MS = 200;

/**
 * A list of endpoints in a file, one URL per line, read again when it changes. What is after a # is a comment.
 * A line that is no URL is skipped; a file that cannot be read leaves the last list in force.
 */
export class EndpointsFile {
  readonly #path: string;
  readonly #deps: EndpointsFileDeps;
  /** What is in force. */
  #text: string | undefined;
  /** What was read last, and may not be all of it yet. */
  #news: string | undefined;
  #timer: Disposable | undefined;
  #urls: readonly string[] = [];
  #problem: string | undefined;

  constructor(path: string, deps: EndpointsFileDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  get urls(): readonly string[] {
    return this.#urls;
  }

  /** Why the list may be out of date; for the operator. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether it was ever read. */
  get isRead(): boolean {
    return this.#text !== undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    using _watcher = this.#watch();
    while (!signal.aborted) {
      this.#look();
      await this.#deps.clock.sleep(LOOK_AGAIN_MS, signal);
    }
    this.#timer?.[Symbol.dispose]();
  }

  #look(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      this.#onUnreadable(error as Error);
      return;
    }
    this.#problem = undefined;
    const isSettled = this.#text === undefined || text === this.#news;
    this.#news = text;
    if (text === this.#text) return;
    if (isSettled) this.#take(text);
    else this.#lookSoon();
  }

  #lookSoon(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#deps.clock.timer(SETTLED_MS, () => this.#look());
  }

  #take(text: string): void {
    this.#text = text;
    this.#urls = this.#parse(text);
    this.#deps.logger.info({ file: this.#path, weps: this.#urls.length }, "list of WEPs read");
    this.#deps.onChange();
  }

  #onUnreadable({ message }: Error): void {
    const problem = `wep_pool.endpoints_file cannot be read: ${message}`;
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#deps.logger.warn(
      { file: this.#path, reason: message, weps: this.#urls.length },
      "the list of WEPs cannot be read; the last one stays in force",
    );
  }

  #parse(text: string): string[] {
    const urls = new Set<string>();
    for (const [index, line] of text.split("\n").entries()) {
      const entry = line.replace(/#.*$/, "").trim();
      if (entry === "") continue;
      try {
        urls.add(parseEndpointUrl(entry));
      } catch (error) {
        const { message } = error as Error;
        this.#deps.logger.error({ file: this.#path, line: index + 1, reason: message }, "line skipped");
      }
    }
    return [...urls];
  }

  /** The directory: a file that is replaced is another file. */
  #watch(): Disposable {
    let watcher: FSWatcher | undefined;
    try {
      watcher = watch(dirname(this.#path), { persistent: false }, () => this.#lookSoon());
      watcher.on("error", (error) => this.#onUnwatched(error));
    } catch (error) {
      this.#onUnwatched(error as Error);
    }
    return { [Symbol.dispose]: () => watcher?.close() };
  }

  #onUnwatched({ message }: Error): void {
    this.#deps.logger.debug(
      { file: this.#path, reason: message },
      `not watched; looked at every ${LOOK_AGAIN_MS} ms`,
    );
  }
}
