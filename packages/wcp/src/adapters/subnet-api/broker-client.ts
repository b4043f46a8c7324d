import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { type CallOptions, type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Clock, createBackoff } from "@subnet-worker/kit";
import { Storage } from "@subnet-worker/protocol/storage";
import { isPassing, storageErrorOf } from "./errors.ts";
import { type TokenOptions, TokenSource } from "./token.ts";

/** PEM, as Node.js takes it. */
export interface BrokerTls {
  /** `undefined`: the authorities that Node.js knows. */
  readonly ca?: string;
  /** What this node shows; `undefined`: nothing. */
  readonly identity?: { readonly cert: string; readonly key: string };
}

export interface BrokerClientOptions extends TokenOptions {
  /** `https://storage.example:443`. */
  readonly url: string;
  readonly tls: BrokerTls;
  /** Each attempt of a call has failed after this. */
  readonly timeoutMs: number;
}

/** What is tried, for messages, and whether it may be tried twice. */
export interface Call {
  readonly what: string;
  /** Default true. */
  readonly isRepeatable?: boolean;
}

const MOST_ATTEMPTS = 4;

/**
 * Hears every HTTP/2 session's error. The manager stops listening when it is aborted, and a session that has
 * just broken, because its peer speaks something else, reports its error only after that; an error that
 * nobody hears ends the process. The call has failed with it by then.
 */
class HeardSessions extends Http2SessionManager {
  #session: ClientHttp2Session | undefined;

  override async request(...args: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...args);
    const { session } = stream as ClientHttp2Stream & { readonly session: ClientHttp2Session | undefined };
    if (session !== undefined && session !== this.#session) {
      session.on("error", () => {});
      this.#session = session;
    }
    return stream;
  }
}

/** Calls of the broker: with the token, a deadline each, and again where that may help. */
export class BrokerClient implements Disposable {
  readonly #options: BrokerClientOptions;
  readonly #clock: Clock;
  readonly #sessions: Http2SessionManager;
  readonly #token: TokenSource;
  readonly #client: Client<typeof Storage>;

  constructor(options: BrokerClientOptions, deps: { readonly clock: Clock }) {
    this.#options = options;
    this.#clock = deps.clock;
    const { url, tls } = options;
    this.#sessions = new HeardSessions(
      url,
      { pingIntervalMs: 30_000, pingTimeoutMs: options.timeoutMs },
      // Of no meaning for http://, which has no TLS.
      {
        minVersion: "TLSv1.2",
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...tls.identity,
      },
    );
    this.#token = new TokenSource(options);
    this.#client = createClient(
      Storage,
      createGrpcTransport({ baseUrl: url, sessionManager: this.#sessions }),
    );
  }

  [Symbol.dispose](): void {
    this.#sessions.abort();
  }

  /** @throws {StorageError} */
  async call<T>(
    { what, isRepeatable = true }: Call,
    ask: (client: Client<typeof Storage>, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const backoff = createBackoff({ initialMs: 200, maxMs: 2_000 });
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask(this.#client, await this.#callOptions());
      } catch (error) {
        if (!isRepeatable || attempt === MOST_ATTEMPTS || !isPassing(error))
          throw storageErrorOf(error, what);
        await this.#clock.sleep(backoff.nextMs());
      }
    }
  }

  async #callOptions(): Promise<CallOptions> {
    const token = await this.#token.current();
    return {
      timeoutMs: this.#options.timeoutMs,
      ...(token === "" ? {} : { headers: { authorization: `Bearer ${token}` } }),
    };
  }
}
