// Certificates that are read again when their files change.
//
// 1. What is handed out is whole and checked: a pair that is half written, or that
//    cannot be used, leaves the one before it in use.
// 2. Each state of the files is told of once, however often it is looked at.
import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import { checkTls, readTls, type TlsFiles, type TlsMaterial } from "./material.ts";
import { TlsError } from "./tls-error.ts";

/** What a {@link TlsKeeper} needs. */
export interface TlsKeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Certificates from files, always the newest that can be used. */
export interface TlsKeeper extends Disposable {
  readonly current: TlsMaterial;
  /** Calls `listener` with each new material, until disposed. */
  onChange(listener: (material: TlsMaterial) => void): Disposable;
}

/** Some file systems, and what Kubernetes does with links, give no events. */
const LOOK_MS = 5_000;
/** A certificate and its key are seldom written at the same instant. */
const SETTLE_MS = 100;
const DAY_MS = 24 * 60 * 60 * 1_000;
const EXPIRY_WARNING_MS = 14 * DAY_MS;

/**
 * Reads the files and keeps looking at them until disposed.
 *
 * @throws {TlsError} when they cannot be used at the start
 */
export function keepTls(files: TlsFiles, deps: TlsKeeperDeps): TlsKeeper {
  return new FileTlsKeeper(files, deps);
}

class FileTlsKeeper implements TlsKeeper {
  readonly #files: TlsFiles;
  readonly #deps: TlsKeeperDeps;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  readonly #watchers: readonly FSWatcher[];
  #material: TlsMaterial;
  /** What the files were when they were last looked at, whether of use or not. */
  #seen: string;
  #look: Disposable | undefined;
  #settle: Disposable | undefined;
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #isToldOver = false;

  constructor(files: TlsFiles, deps: TlsKeeperDeps) {
    this.#files = files;
    this.#deps = deps;
    const texts = readTls(files);
    this.#material = checkTls(texts, files, deps.clock.nowMs());
    this.#seen = JSON.stringify(texts);
    this.#watchers = this.#watch();
    this.#lookLater();
    this.#warnOfExpiry();
  }

  get current(): TlsMaterial {
    return this.#material;
  }

  onChange(listener: (material: TlsMaterial) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#look?.[Symbol.dispose]();
    this.#settle?.[Symbol.dispose]();
    for (const watcher of this.#watchers) watcher.close();
    this.#listeners.clear();
  }

  /** Folders, not files: a file that is replaced takes its watcher with it. */
  #watch(): FSWatcher[] {
    const { caFile, certFile = caFile, keyFile = caFile } = this.#files;
    const folders = new Set([caFile, certFile, keyFile].map((file) => dirname(file)));
    return [...folders].flatMap((folder) => {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#settleLater());
        watcher.on("error", (error) => this.#onWatchError(folder, error));
        return [watcher];
      } catch (error) {
        this.#onWatchError(folder, error);
        return [];
      }
    });
  }

  #onWatchError(folder: string, error: unknown): void {
    this.#deps.log.debug(
      { err: error, folder, every_ms: LOOK_MS },
      "changes of certificate files are not told; looking from time to time",
    );
  }

  #settleLater(): void {
    this.#settle?.[Symbol.dispose]();
    this.#settle = this.#deps.clock.timer(SETTLE_MS, () => this.#lookNow());
  }

  #lookLater(): void {
    this.#look = this.#deps.clock.timer(LOOK_MS, () => {
      this.#lookNow();
      this.#warnOfExpiry();
      this.#lookLater();
    });
  }

  #lookNow(): void {
    try {
      const texts = readTls(this.#files);
      const seen = JSON.stringify(texts);
      if (seen === this.#seen) return; // 2
      this.#seen = seen;
      this.#take(checkTls(texts, this.#files, this.#deps.clock.nowMs()));
    } catch (error) {
      this.#onBadFiles(error);
    }
  }

  #take(material: TlsMaterial): void {
    this.#material = material;
    this.#warnedAtMs = Number.NEGATIVE_INFINITY;
    const { identity } = material;
    this.#deps.log.info(
      {
        names: identity?.names,
        fingerprint: identity?.fingerprint,
        expires: identity === undefined ? undefined : new Date(identity.expiresAtMs).toISOString(),
      },
      "certificates reloaded; new connections use them",
    );
    for (const listener of this.#listeners) listener(material);
    this.#warnOfExpiry();
  }

  #onBadFiles(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof TlsError && /MISSING|UNREADABLE/.test(error.code)) {
      if (this.#seen === reason) return; // 2
      this.#seen = reason;
    }
    // 1
    this.#deps.log.warn({ reason }, "changed certificate files cannot be used; the ones before stay in use");
  }

  #warnOfExpiry(): void {
    const { clock, log } = this.#deps;
    const { identity } = this.#material;
    if (identity === undefined) return;
    const leftMs = identity.expiresAtMs - clock.nowMs();
    if (leftMs > EXPIRY_WARNING_MS) return;
    // That it is over is told at once, however short ago it was that it soon would be.
    const isToldOfThis = this.#isToldOver === leftMs <= 0;
    if (isToldOfThis && clock.nowMs() - this.#warnedAtMs < DAY_MS) return;
    this.#warnedAtMs = clock.nowMs();
    this.#isToldOver = leftMs <= 0;
    const facts = {
      file: this.#files.certFile,
      names: identity.names,
      expires: new Date(identity.expiresAtMs).toISOString(),
      days_left: Math.floor(leftMs / DAY_MS),
    };
    if (leftMs > 0) log.warn(facts, "certificate expires soon; renew it (wcp tls renew)");
    else log.error(facts, "certificate has expired, and peers refuse it; renew it (wcp tls renew)");
  }
}
