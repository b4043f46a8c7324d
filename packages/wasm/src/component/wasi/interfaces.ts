import type { GuestHost } from "../guest-host.ts";
import { cliInterfaces } from "./cli.ts";
import { clockInterfaces, randomInterfaces } from "./clocks-and-random.ts";
import { httpInterfaces } from "./http.ts";
import { InputStream, IoError, OutputStream, poll, Pollable } from "./io.ts";
import { filesystemInterfaces, socketInterfaces } from "./nothing.ts";

/** Longest text that a component may tell at once; what is more is cut. As the WIT says. */
const MESSAGE_CHARS = 8_192;

const LEVELS: ReadonlySet<string> = new Set(["debug", "info", "warn", "error"]);

/**
 * All that a component can import, in memory, by the names that jco's glue asks for: without versions, since all of
 * 0.2 fit each other.
 */
export function hostInterfaces(guest: GuestHost): Readonly<Record<string, object>> {
  return {
    "wasi:io/error": { Error: IoError },
    "wasi:io/poll": { Pollable, poll: (pollables: readonly Pollable[]) => poll(guest, pollables) },
    "wasi:io/streams": { InputStream, OutputStream },
    ...cliInterfaces(guest),
    ...clockInterfaces(guest),
    ...randomInterfaces(guest),
    ...filesystemInterfaces(guest),
    ...socketInterfaces(guest),
    ...httpInterfaces(guest),
    "subnet:worker/host": workerInterface(guest),
  };
}

function workerInterface(guest: GuestHost): object {
  return {
    progress: (fraction: number | undefined, message: string) => {
      guest.expectText(message);
      guest.expect(fraction === undefined || typeof fraction === "number", "a fraction was expected");
      guest.enter(message.length);
      guest.ask((host) => host.progress(clamped(fraction), message.slice(0, MESSAGE_CHARS)));
    },
    log: (level: "debug" | "info" | "warn" | "error", message: string) => {
      guest.expectText(message);
      guest.expect(LEVELS.has(level), "a level was expected");
      guest.enter(message.length);
      guest.ask((host) => host.log(level, message.slice(0, MESSAGE_CHARS)));
    },
  };
}

function clamped(fraction: number | undefined): number | undefined {
  return fraction === undefined || Number.isNaN(fraction) ? undefined : Math.min(1, Math.max(0, fraction));
}
