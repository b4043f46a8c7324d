// The world `subnet:worker/handler` as TypeScript sees it.
declare module "subnet:worker/host@0.1.0" {
  export type Level = "debug" | "info" | "warn" | "error";
  /** Tells how far the run is: from 0 to 1, or `undefined` where it cannot be said. */
  export function progress(fraction: number | undefined, message: string): void;
  export function log(level: Level, message: string): void;
}

/** An input or an output. */
type Value =
  | { readonly tag: "text"; readonly val: string }
  | { readonly tag: "json"; readonly val: string }
  | { readonly tag: "bytes"; readonly val: Uint8Array };

/** What `run` throws when the run has failed. */
interface Failure {
  /** For programs: a short name that does not change. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}
