import { ObjectStoreError } from "./object-store-error.ts";

/** Where the store keeps what is not an object; no key begins with it. */
export const RESERVED = ".store";

/** As S3 has it. */
const LONGEST_KEY_BYTES = 1_024;
/** File systems take 255. */
const LONGEST_SEGMENT_BYTES = 240;

// C0 and C1 controls, which NUL is one of; a backslash is a separator on Windows, the others are refused there.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\<>:"|?*]/;
/** What Windows takes for a device, with any extension, and names that it cuts short. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)|[. ]$/i;

/**
 * The segments of a key, which are a path below the store's folder and nothing else.
 *
 * @throws {ObjectStoreError} `REFUSED` for what could lead anywhere else, or could not be a file
 */
export function segmentsOf(objectKey: string): readonly string[] {
  const problem = problemWith(objectKey);
  if (problem === undefined) return objectKey.split("/");
  throw new ObjectStoreError(
    "REFUSED",
    `${shown(objectKey)} is no key of this store: ${problem}; use plain names with "/" between them, like "in/song.wav"`,
  );
}

/** Why a string is not a key; `undefined` when it is one. */
export function problemWith(objectKey: string): string | undefined {
  if (objectKey === "") return "it is empty";
  if (!objectKey.isWellFormed()) return "it is not well-formed Unicode";
  if (Buffer.byteLength(objectKey) > LONGEST_KEY_BYTES) return `it has more than ${LONGEST_KEY_BYTES} bytes`;
  const segments = objectKey.split("/");
  if (segments[0]?.toLowerCase() === RESERVED) return `"${RESERVED}" is the store's own`;
  for (const segment of segments) {
    const problem = segmentProblem(segment);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function segmentProblem(segment: string): string | undefined {
  if (segment === "") return 'it begins or ends with "/", or has two together';
  if (segment === "." || segment === "..") return `"${segment}" leads to another folder`;
  if (FORBIDDEN.test(segment)) return "it has a character that not every disk takes";
  if (DEVICE.test(segment)) return `"${segment}" is not a file name everywhere`;
  if (Buffer.byteLength(segment) > LONGEST_SEGMENT_BYTES) {
    return `a name in it has more than ${LONGEST_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/** For messages: quoted, and cut short. */
function shown(objectKey: string): string {
  return JSON.stringify(objectKey.length > 100 ? `${objectKey.slice(0, 100)}...` : objectKey);
}

/** The path of an object's URL. */
export function pathOf(objectKey: string): string {
  return `/${objectKey.split("/").map(encodeURIComponent).join("/")}`;
}

/** The key that a path names; `undefined` when it names none. Decoded once, so that nothing is decoded later. */
export function keyOfPath(path: string): string | undefined {
  if (!path.startsWith("/")) return undefined;
  let key: string;
  try {
    // Segment by segment: an escaped slash is part of a name, which no key has.
    const segments = path.slice(1).split("/").map(decodeURIComponent);
    if (segments.some((segment) => segment.includes("/"))) return undefined;
    key = segments.join("/");
  } catch {
    return undefined; // a percent sign that begins no escape
  }
  return problemWith(key) === undefined ? key : undefined;
}
