import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const ROOT: string = resolve(import.meta.dirname, "..");

/** The folders below `packages/` whose packages are published. */
export function publishedPackages(): readonly string[] {
  return readdirSync(join(ROOT, "packages")).filter((name) => {
    const manifest = readFileSync(join(ROOT, "packages", name, "package.json"), "utf8");
    return (JSON.parse(manifest) as { private?: boolean }).private !== true;
  });
}

/**
 * The command that packs them as they would be published, once they are built:
 * npm would leave `workspace:`, `catalog:` and the development `exports` in them.
 */
export function packCommand(destination: string): readonly [string, ...string[]] {
  const filters = publishedPackages().flatMap((name) => ["--filter", `./packages/${name}`]);
  return ["npx", "-y", "pnpm@12.21.0", "--silent", ...filters, "pack", "--pack-destination", destination];
}
