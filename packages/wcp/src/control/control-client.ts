import { request } from "node:http";
import { EXIT, StartupError } from "@subnet-worker/kit";

/** Longer than the node waits for a pong. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Asks the running node, over its control socket. */
export class ControlClient {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws {StartupError} 75 where no node answers, 1 for what it refuses */
  async get<T>(path: string): Promise<T> {
    return this.#ask<T>("GET", path);
  }

  /** @throws {StartupError} 75 where no node answers, 1 for what it refuses */
  async post<T>(path: string): Promise<T> {
    return this.#ask<T>("POST", path);
  }

  async #ask<T>(method: "GET" | "POST", path: string): Promise<T> {
    const { status, text } = await this.#send(method, path);
    const body = this.#parse(text);
    if (status === 200) return body as T;
    const { error } = body as { readonly error?: unknown };
    const message = typeof error === "string" ? error : `the node answered with status ${status}`;
    throw new StartupError(status === 504 ? EXIT.tryLater : EXIT.fault, message);
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new StartupError(
        EXIT.fault,
        `what serves ${this.#path} is no WCP: it answered ${JSON.stringify(text.slice(0, 60))}; set control.socket to a path of its own`,
        { cause: error },
      );
    }
  }

  #send(method: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException) => reject(notReached(this.#path, error));
      const ask = request({ socketPath: this.#path, method, path, timeout: ANSWER_TIMEOUT_MS }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => (text += chunk));
        answer.on("error", fail);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      ask.on("timeout", () =>
        ask.destroy(
          new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1_000} s: its event loop stands still`),
        ),
      );
      ask.on("error", fail);
      ask.end();
    });
  }
}

function notReached(path: string, error: NodeJS.ErrnoException): StartupError {
  const tell = (exitCode: number, message: string) => new StartupError(exitCode, message, { cause: error });
  switch (error.code) {
    case "ENOENT":
      return tell(
        EXIT.tryLater,
        `no node serves ${path}: either it does not run (wcp run), or it runs with another configuration; give the same --config`,
      );
    case "ECONNREFUSED":
      return tell(
        EXIT.tryLater,
        `the node that served ${path} has ended without a word; start it again: wcp run`,
      );
    case "EACCES":
    case "EPERM":
      return tell(
        EXIT.badConfig,
        `${path} belongs to another user; run this as the user that the node runs as, for example with sudo -u`,
      );
    default:
      return tell(
        EXIT.tryLater,
        `the node at ${path} does not answer: ${error.message}; wcp doctor looks at it`,
      );
  }
}
