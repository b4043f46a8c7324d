import type { Clock } from "@subnet-worker/kit";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { TerminalError } from "./errors.ts";
import { type Ask, type Grant, NotBrokeredError } from "./grant.ts";
import { isStale } from "./grant-request.ts";
import { isHttpUrl } from "./http-request.ts";
import { TransientFailure } from "./transfer-retry.ts";

export interface ObjectUrlOptions {
  /** For messages: which input, which key. */
  readonly label: string;
  /** `undefined`: nobody can be asked for another URL. */
  readonly objectKey: string | undefined;
  /** Presigned; empty: to be asked for. */
  readonly url: string;
  /** 0: not known. */
  readonly expiresAtMs: number;
}

export interface ObjectUrlDeps {
  readonly clock: Clock;
  readonly requestGrant: (ask: Ask) => Promise<Grant>;
}

/** Where one object can be read: a URL that is renewed when its time is nearly over. */
export class ObjectUrl {
  readonly label: string;
  readonly #objectKey: string | undefined;
  readonly #deps: ObjectUrlDeps;
  #url: string;
  #expiresAtMs: number;
  #obtainedAtMs: number;

  constructor(options: ObjectUrlOptions, deps: ObjectUrlDeps) {
    this.label = options.label;
    this.#objectKey = options.objectKey;
    this.#deps = deps;
    this.#url = options.url;
    this.#expiresAtMs = options.expiresAtMs;
    this.#obtainedAtMs = deps.clock.nowMs();
  }

  /** Whether a worker client signed it, so that what answers is a store. */
  get isBrokered(): boolean {
    return this.#objectKey !== undefined;
  }

  /** As it was last; empty before the first was asked for. */
  get last(): string {
    return this.#url;
  }

  /**
   * A URL to read from now.
   *
   * @throws {TerminalError} INVALID_INPUT when there is none and nobody to ask
   * @throws {TransientFailure} when asking again may help
   */
  async current(): Promise<string> {
    if (!isHttpUrl(this.#url)) {
      if (!(await this.renew())) throw this.#withoutUrl();
      return this.#url;
    }
    const nowMs = this.#deps.clock.nowMs();
    if (isStale({ obtainedAtMs: this.#obtainedAtMs, expiresAtMs: this.#expiresAtMs }, nowMs)) {
      try {
        await this.renew();
      } catch (error) {
        // What still works is better than nothing.
        if (!(error instanceof TransientFailure) || nowMs >= this.#expiresAtMs) throw error;
      }
    }
    return this.#url;
  }

  /** Asks for another URL; false when nobody answers such requests. @throws {TransientFailure} */
  async renew(): Promise<boolean> {
    if (this.#objectKey === undefined) return false;
    try {
      const grant = await this.#deps.requestGrant({ kind: "download", objectKey: this.#objectKey });
      this.#url = grant.url;
      this.#expiresAtMs = grant.expiresAtMs;
      this.#obtainedAtMs = this.#deps.clock.nowMs();
      return true;
    } catch (error) {
      if (error instanceof NotBrokeredError) return false;
      throw error;
    }
  }

  #withoutUrl(): TerminalError {
    return new TerminalError(
      `[INVALID_INPUT] ${this.label} arrived without a URL: its worker client brokers no storage; ` +
        `configure storage there, or pass the content inline`,
      { code: TASK_ERROR.INVALID_INPUT },
    );
  }
}
