import { readFile, stat } from "node:fs/promises";
import { StorageError } from "../../storage-ports.ts";

/** Where the token comes from; both empty: there is none. */
export interface TokenOptions {
  readonly token: string;
  /** Its first line is the token. */
  readonly tokenFile: string;
}

/** The bearer token as it is now. A file is read again when it has changed, so that a token can be renewed. */
export class TokenSource {
  readonly #options: TokenOptions;
  #read: { readonly version: string; readonly token: string } | undefined;

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  /** Empty where there is none. @throws {StorageError} `UNAUTHENTICATED` for a file that cannot be used */
  async current(): Promise<string> {
    const { token, tokenFile } = this.#options;
    if (tokenFile === "") return token;
    try {
      const { mtimeMs, size, ino } = await stat(tokenFile);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (this.#read?.version !== version) {
        this.#read = { version, token: firstLine(await readFile(tokenFile, "utf8")) };
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StorageError(
        "UNAUTHENTICATED",
        `subnet_api.token_file (${tokenFile}) cannot be read (${code}); put the token there, or correct the path`,
        { cause: error },
      );
    }
    if (this.#read.token !== "") return this.#read.token;
    throw new StorageError(
      "UNAUTHENTICATED",
      `subnet_api.token_file (${tokenFile}) is empty; put the token in its first line`,
    );
  }
}

function firstLine(text: string): string {
  return (text.split("\n", 1)[0] ?? "").trim();
}
