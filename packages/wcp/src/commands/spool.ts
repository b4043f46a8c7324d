import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";

/** Written at once; a line has some hundred characters. */
const CHUNK_CHARS = 65_536;
/** Read at once. */
const CHUNK_BYTES = 65_536;

/**
 * A list of any length, kept in a file while it is worked on, and read page by page as often as is wanted. Its
 * values are JSON. The file has no name: however the process ends, it leaves nothing behind.
 */
export class Spool<T> implements AsyncDisposable {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /**
   * Takes in all of a list.
   *
   * @throws {StartupError} exit code 1 when the temporary folder does not take it
   */
  static async of<T>(items: AsyncIterable<T>): Promise<Spool<T>> {
    await using stack = new AsyncDisposableStack();
    const spool = stack.use(new Spool<T>(await orUnwritable(openNameless)));
    await spool.#fill(items);
    stack.move(); // had it failed before here, the file would be gone
    return spool;
  }

  async #fill(items: AsyncIterable<T>): Promise<void> {
    let text = "";
    for await (const item of items) {
      text += `${JSON.stringify(item)}\n`;
      if (text.length < CHUNK_CHARS) continue;
      const chunk = text;
      await orUnwritable(() => this.#file.appendFile(chunk));
      text = "";
    }
    await orUnwritable(() => this.#file.appendFile(text));
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
    const bytes = new Uint8Array(CHUNK_BYTES);
    const decoder = new TextDecoder();
    let rest = "";
    for (let position = 0; ;) {
      const { bytesRead } = await this.#file.read(bytes, { position });
      if (bytesRead === 0) return;
      position += bytesRead;
      const text = decoder.decode(bytes.subarray(0, bytesRead), { stream: true });
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  }

  /** Gives the file's room back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function openNameless(): Promise<FileHandle> {
  const directory = await mkdtemp(join(tmpdir(), "wcp-list-"));
  try {
    return await open(join(directory, "list.jsonl"), "wx+", 0o600);
  } finally {
    await rm(directory, { recursive: true, force: true });
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
