import { EXIT, StartupError } from "@subnet-worker/kit";
import { misuse } from "./command.ts";
import type { Wanted } from "./find-spec.ts";

/** What a WEP says that it can run. */
export interface Offer {
  /** Empty where it does not say. */
  readonly kinds: readonly { readonly kind: string; readonly version: string }[];
  readonly url: string;
}

/**
 * Which version of a handler to ask a WEP for: the wanted one, or else the only one that it has.
 *
 * @throws {StartupError} 78 when it does not have it, or has several to choose from
 */
export function versionAt({ kind, version: wanted }: Wanted, { kinds, url }: Offer): string {
  if (kinds.length === 0) {
    // A WEP of 1.0.0 does not say what it has: it finds out when it is asked.
    if (wanted !== undefined) return wanted;
    throw misuse(
      `the WEP at ${url} does not say which versions it has, and there is no spec of ${kind} here; write ${kind}@1.0.0, or give --spec`,
    );
  }
  const versions = kinds.filter((each) => each.kind === kind).map(({ version }) => version);
  const found = wanted === undefined ? soleOf(versions) : versions.find((version) => version === wanted);
  if (found !== undefined) return found;
  if (wanted === undefined && versions.length > 1) {
    throw misuse(
      `the WEP at ${url} has several versions of ${kind}; write ${kind}@${versions.join(` or ${kind}@`)}`,
    );
  }
  const names = kinds.map((each) => `${each.kind}@${each.version}`).join(", ");
  const asked = wanted === undefined ? kind : `${kind}@${wanted}`;
  throw new StartupError(
    EXIT.badConfig,
    `[NO_HANDLER] the WEP at ${url} has no handler for ${asked}; it has ${names}`,
  );
}

function soleOf(versions: readonly string[]): string | undefined {
  return versions.length === 1 ? versions[0] : undefined;
}
