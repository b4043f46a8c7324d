import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../..");

/** What a partner gets who installs the SDK alone. */
const PACKAGES = ["activity-spec", "kit", "protocol", "wep-sdk"];

export interface Installed {
  readonly folder: string;
  /** Of all files below node_modules, in 10^6 bytes. */
  readonly sizeMb: number;
  readonly packages: number;
}

/** Builds what is out of date, and packs the SDK and what it needs of ours. @returns the tarballs */
export function packSdk(folder: string): string[] {
  const tarballs = join(folder, "tarballs");
  mkdirSync(tarballs);
  execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-b", "packages/wep-sdk"], { cwd: ROOT });
  const filters = PACKAGES.flatMap((name) => ["--filter", `./packages/${name}`]);
  const args = ["-y", "pnpm@12.21.0", "--silent", ...filters, "pack", "--pack-destination", tarballs];
  execFileSync("npx", args, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  return readdirSync(tarballs).map((name) => join(tarballs, name));
}

/** Installs into an empty folder, as a partner does. */
export function install(folder: string, what: readonly string[]): Installed {
  mkdirSync(folder);
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "bench", private: true, type: "module" }),
  );
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...what], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const lock = readFileSync(join(folder, "node_modules/.package-lock.json"), "utf8");
  const { packages } = JSON.parse(lock) as { packages: Record<string, unknown> };
  return {
    folder,
    sizeMb: sizeBytes(join(folder, "node_modules")) / 1e6,
    packages: Object.keys(packages).length,
  };
}

function sizeBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
