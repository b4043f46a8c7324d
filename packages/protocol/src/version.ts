/** An inclusive range of semantic versions, `min` to `max`. */
export interface VersionRange {
  readonly min: string;
  readonly max: string;
}

/** The range this build speaks. 1.1.0 is the deployed interface and our additions. */
export const PROTOCOL_RANGE: VersionRange = { min: "1.0.0", max: "1.1.0" };

/** The deployed interface without additions. */
export const BASE_VERSION = "1.0.0";

const FIRST_WITH_ADDITIONS = "1.1.0";

/** Two version ranges do not meet, or a version is not one. */
export class VersionError extends Error {
  override readonly name = "VersionError";
  readonly code: "INVALID_VERSION" | "NO_COMMON_VERSION";

  constructor(code: VersionError["code"], message: string) {
    super(`[${code}] ${message}`);
    this.code = code;
  }
}

type Triple = readonly [major: number, minor: number, patch: number];

/**
 * Reads `major.minor.patch`; a pre-release or build suffix is refused, because
 * neither the stream nor the contracts use one.
 *
 * @throws {VersionError} INVALID_VERSION
 */
export function parseVersion(text: string): Triple {
  const match = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/.exec(text);
  if (match === null) {
    throw new VersionError("INVALID_VERSION", `"${text}" is not a version; write it as 1.2.3`);
  }
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}

function compareVersions(a: string, b: string): number {
  const left = parseVersion(a);
  const right = parseVersion(b);
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** Whether `version` lies in `range`, bounds included. @throws {VersionError} INVALID_VERSION */
export function isVersionInRange(version: string, range: VersionRange): boolean {
  return compareVersions(version, range.min) >= 0 && compareVersions(version, range.max) <= 0;
}

/**
 * Picks the highest version in both ranges.
 *
 * @throws {VersionError} NO_COMMON_VERSION when they do not meet, INVALID_VERSION when one is malformed
 */
export function negotiateVersion(ours: VersionRange, theirs: VersionRange): string {
  const highest = compareVersions(ours.max, theirs.max) <= 0 ? ours.max : theirs.max;
  if (!isVersionInRange(highest, ours) || !isVersionInRange(highest, theirs)) {
    throw new VersionError(
      "NO_COMMON_VERSION",
      `we speak ${ours.min} to ${ours.max}, the peer ${theirs.min} to ${theirs.max}; ` +
        `upgrade the side with the lower range`,
    );
  }
  return highest;
}

/** Whether messages numbered 20 and up may be sent under `negotiated`; added fields of deployed messages always may. */
export function hasAdditions(negotiated: string): boolean {
  return compareVersions(negotiated, FIRST_WITH_ADDITIONS) >= 0;
}
