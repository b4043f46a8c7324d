import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How a {@link ScriptedHttp} answers one request. */
export type HttpAnswer =
  /** A JSON body. Default status 200. */
  | {
      readonly kind: "json";
      readonly value: unknown;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Any other body. Default status 200. */
  | {
      readonly kind: "text";
      readonly text: string;
      readonly status?: number;
      readonly type?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Nothing, until the client gives up. */
  | { readonly kind: "silence" }
  /** The connection is reset before a byte was answered. */
  | { readonly kind: "reset" }
  /** The connection is reset after this much of a longer body. */
  | { readonly kind: "cut"; readonly text: string }
  /** The headers and this much of the body come, and then nothing more. */
  | { readonly kind: "stall"; readonly text: string };

/** One request as it arrived. */
export interface HttpRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body, parsed as JSON; its text when it is none. */
  readonly body: unknown;
}

/**
 * A local HTTP server whose every answer is the test's, the broken ones included.
 *
 * @example
 * ```ts
 * import { ScriptedHttp } from "@subnet-worker/testkit";
 *
 * await using server = await ScriptedHttp.listen(() => ({ kind: "json", value: { ok: true } }));
 * await fetch(server.url);
 * ```
 */
export class ScriptedHttp implements AsyncDisposable {
  /** Every request, in order. */
  readonly requests: HttpRequest[] = [];
  /** Decides on each request; may be changed at any time. */
  answer: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
  readonly #server: Server;

  private constructor(answer: ScriptedHttp["answer"]) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const seen: HttpRequest = {
          path: request.url ?? "",
          headers: request.headers,
          body: parse(Buffer.concat(chunks).toString()),
        };
        this.requests.push(seen);
        void Promise.resolve(this.answer(seen)).then((answer) => give(answer, response));
      });
    });
  }

  /** Listens on a free port of the loopback interface. */
  static async listen(answer: ScriptedHttp["answer"]): Promise<ScriptedHttp> {
    const scripted = new ScriptedHttp(answer);
    await new Promise<void>((resolve) => {
      scripted.#server.listen(0, "127.0.0.1", resolve);
    });
    return scripted;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Drops every connection and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeAllConnections();
    await closed;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function give(answer: HttpAnswer, response: ServerResponse): void {
  switch (answer.kind) {
    case "json":
      response.writeHead(answer.status ?? 200, { "content-type": "application/json", ...answer.headers });
      response.end(JSON.stringify(answer.value));
      break;
    case "text":
      response.writeHead(answer.status ?? 200, {
        "content-type": answer.type ?? "text/html",
        ...answer.headers,
      });
      response.end(answer.text);
      break;
    case "silence":
      break;
    case "reset":
      response.socket?.resetAndDestroy();
      break;
    case "cut":
    case "stall":
      response.writeHead(200, { "content-type": "application/json", "content-length": 1_000_000 });
      response.write(answer.text, () => {
        if (answer.kind === "cut") response.socket?.resetAndDestroy();
      });
      break;
  }
}
