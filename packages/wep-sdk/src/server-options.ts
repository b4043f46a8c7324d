import type { Clock, Logger, Registry } from "@subnet-worker/kit";
import type { WorkClass } from "./classes.ts";
import type { EnvelopeEvent } from "./envelope-log.ts";
import type { Handler } from "./handler.ts";
import type { Middleware } from "./middleware.ts";
import type { SettingsOptions } from "./settings.ts";
import type { ThreadOptions } from "./threads/thread-pool.ts";

/** Where health and metrics are served. */
export interface HealthOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 7071; 0 picks a free one. */
  readonly port: number;
}

/** Mutual TLS 1.3. The files are PEM and are read again when they change. */
export interface TlsOptions {
  /** This server's certificate, and those between it and the authority. */
  readonly certFile: string;
  /** Key of that certificate. */
  readonly keyFile: string;
  /** Authorities that worker clients' certificates are verified against. */
  readonly caFile: string;
  /** DNS names of which a worker client's certificate must have one. Default: any that the authority signed. */
  readonly clientNames?: readonly string[];
}

/** A handler as worker clients see it. */
export interface HandlerInfo {
  /** Name of the work: `audio.preprocess`. */
  readonly kind: string;
  /** Semantic version: `1.0.0`. */
  readonly version: string;
  /** Whose slots its runs take. */
  readonly class: WorkClass;
}

export interface ServeOptions extends SettingsOptions {
  /**
   * Handlers that run in this thread, which is also that of the stream: while one
   * computes without awaiting, nothing is heard and nothing said. Use `modules` for
   * what computes. Default none.
   */
  readonly handlers?: readonly Handler[];
  /**
   * Modules (absolute paths, `.js`, `.mjs` or `.ts`) whose handlers run in threads of
   * their own: one that blocks holds nothing up, and one that ignores its signal is
   * ended for real. Handlers of class `cpu` and `gpu` have a thread to themselves
   * while they run, those of class `io` share one. Default none.
   */
  readonly modules?: readonly string[];
  /**
   * Around all of `handlers`, the outermost first. Threads have their own: a module exports
   * what is to be around its handlers, see `defineMiddleware`. Default nothing.
   */
  readonly use?: readonly Middleware[];
  /** How the handlers of `modules` are run. */
  readonly threads?: ThreadOptions;
  /** Shown all handlers before anything listens; what it throws, `serve` throws. */
  readonly checkHandlers?: (handlers: readonly HandlerInfo[]) => void;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 7070; 0 picks a free one. */
  readonly port?: number;
  /** Default: plain text, which is served on loopback addresses only. */
  readonly tls?: TlsOptions;
  /**
   * Serves plain text on other addresses too: whoever is on the way can read and
   * change the work, and whoever reaches the port can send some. Default false.
   */
  readonly allowPlaintext?: boolean;
  /** `/healthz`, `/readyz`, `/metrics` and, to readers on this machine, `/tail` over HTTP. Default port 7071; `false` serves none. */
  readonly health?: HealthOptions | false;
  /** Default: JSON lines on standard output. */
  readonly logger?: Logger;
  /** Where the metrics go. Default a registry of its own. */
  readonly metrics?: Registry;
  /** Default the machine's. */
  readonly clock?: Clock;
}

/** A running WEP. Disposing it drains it without grace, then closes it. */
export interface WepServer extends AsyncDisposable {
  /** Where worker clients reach it; the port is the one that was taken. */
  readonly address: { readonly host: string; readonly port: number };
  /** All there are, those of modules first. */
  readonly handlers: readonly HandlerInfo[];
  /** `undefined` where health is not served. */
  readonly healthUrl: string | undefined;
  /**
   * Takes nothing new, lets runs go on for the shutdown grace, then stops them
   * with the reason `drain`. Resolves when every run has its outcome and worker
   * clients had a chance to store it. Calling it again waits for the same drain.
   */
  drain(): Promise<void>;
  /**
   * Shows every message of every stream to `listener`, until disposed. Query
   * strings of presigned URLs and inline bytes are left out. Costs nothing
   * without listeners; a listener that throws is logged and goes on.
   */
  tap(listener: (event: EnvelopeEvent) => void): Disposable;
}
