import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";

/** Written at once; a line has some hundred characters. */
const CHUNK_CHARS = 65_536;

/**
 * A list of any length, kept in a file while it is worked on, and read page by page as often as is wanted. Its
 * values are JSON.
 */
export class Spool<T> implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Takes in all of a list.
   *
   * @throws {StartupError} exit code 1 when the temporary folder does not take it
   */
  static async of<T>(items: AsyncIterable<T>): Promise<Spool<T>> {
    const directory = await orUnwritable(() => mkdtemp(join(tmpdir(), "wcp-list-")));
    await using stack = new AsyncDisposableStack();
    const spool = stack.use(new Spool<T>(directory));
    await spool.#fill(items);
    stack.move(); // had it failed before here, the file would be gone
    return spool;
  }

  async #fill(items: AsyncIterable<T>): Promise<void> {
    await using file = await orUnwritable(() => open(this.#path, "w"));
    let text = "";
    for await (const item of items) {
      text += `${JSON.stringify(item)}\n`;
      if (text.length < CHUNK_CHARS) continue;
      const chunk = text;
      await orUnwritable(() => file.appendFile(chunk));
      text = "";
    }
    await orUnwritable(() => file.appendFile(text));
  }

  /** From the first to the last, `pageLength` at a time; the last page may be shorter. */
  async *pages(pageLength: number): AsyncGenerator<readonly T[]> {
    let page: T[] = [];
    for await (const line of this.#lines()) {
      page.push(JSON.parse(line) as T);
      if (page.length < pageLength) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  async *#lines(): AsyncGenerator<string> {
    let rest = "";
    for await (const chunk of createReadStream(this.#path, { encoding: "utf8" })) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  }

  get #path(): string {
    return join(this.#directory, "list.jsonl");
  }

  /** Removes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function orUnwritable<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartupError(
      EXIT.fault,
      `${tmpdir()} does not take the list of objects (${why}); make room there, or name another folder with TMPDIR`,
      { cause },
    );
  }
}
