import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { startProcess } from "./_process.ts";

/** Without a slash at its end. */
export const REPOSITORY: string = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** What of this process's environment a login shell would have as well. */
const INHERITED =
  /^(HOME|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|npm_config_registry|npm_config_cache)$/i;

/**
 * What somebody has who is not in the repository: this Node first, nothing of the repository on the
 * path, and no install scripts.
 *
 * @param place a folder; it marks every process that is started from there
 */
export function outsideEnvironment(place: string): Readonly<Record<string, string>> {
  const inherited = Object.entries(process.env).filter(([name]) => INHERITED.test(name));
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.startsWith(REPOSITORY));
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    PATH: [dirname(process.execPath), ...path].join(delimiter),
    NODE_DISABLE_COMPILE_CACHE: "1", // or the repository's would be used
    TMPDIR: place,
    npm_config_ignore_scripts: "true",
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
    npm_config_loglevel: "error",
  };
}

/** Makes the tarballs of all packages anew, as `pnpm run pack` does. */
export async function packAll(place: string): Promise<void> {
  await using pack = await startProcess({
    command: process.execPath,
    args: ["scripts/pack.ts"],
    cwd: REPOSITORY,
    env: outsideEnvironment(place),
  });
  const code = await pack.ended;
  if (code !== 0) throw new Error(`packing ended with ${code}:\n${pack.stdout()}${pack.stderr()}`);
}
