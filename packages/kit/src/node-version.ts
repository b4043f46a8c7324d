/** What `engines` of every package says. */
const LOWEST_MAJOR = 24;

/**
 * Why this version of Node.js will not do, for people; `undefined` when it will.
 *
 * @param version without a `v`; default that of this process
 */
export function tooOldNode(version: string = process.versions.node): string | undefined {
  if (Number.parseInt(version, 10) >= LOWEST_MAJOR) return undefined;
  return `[NODE_TOO_OLD] this is Node.js ${version}, and ${LOWEST_MAJOR} or later is needed; install it from https://nodejs.org, or for one project: npm install --save-dev node@${LOWEST_MAJOR}`;
}
