import { readFileSync } from "node:fs";
import { basename, dirname, relative } from "node:path";

/** What this process knows about how it was started. */
export interface Invocation {
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** How to call this program again, as its user would type it: `npx subnet-devnet`. */
export function ownCommand({ argv, execArgv, cwd, env }: Invocation): string {
  const [node = "node", script = ""] = argv;
  if (basename(dirname(script)) === ".bin") return `npx ${basename(script)}`;
  if (hasDevnetScript(env["npm_package_json"])) return "npm run devnet --";
  return [relativeTo(cwd, node), ...execArgv, relativeTo(cwd, script)].map(quoted).join(" ");
}

function hasDevnetScript(manifest: string | undefined): boolean {
  if (manifest === undefined) return false;
  const { scripts } = JSON.parse(readFileSync(manifest, "utf8")) as { scripts?: Record<string, string> };
  return scripts?.["devnet"] !== undefined;
}

/**
 * Where the user typed the command. npm and pnpm run a script in its package's
 * folder and say in INIT_CWD where they were called.
 */
export function userCwd({ cwd, env }: Invocation): string {
  const manifest = env["npm_package_json"];
  const isInPackage = manifest !== undefined && dirname(manifest) === cwd;
  return (isInPackage ? env["INIT_CWD"] : undefined) ?? cwd;
}

function relativeTo(cwd: string, path: string): string {
  const below = relative(cwd, path);
  return below.startsWith("..") ? path : below;
}

/** For a shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
