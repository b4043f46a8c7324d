/** `pnpm run pack`: builds every published package and puts its tarball into `tarballs/`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";

function run(command: string, args: readonly string[], cwd = "."): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${String(status)} in ${cwd}`);
}

const destination = resolve("tarballs");
rmSync(destination, { recursive: true, force: true });
mkdirSync(destination);
run("tsc", ["-b", "tsconfig.json"]);
for (const name of readdirSync("packages")) {
  const manifest = JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8")) as { private?: boolean };
  if (manifest.private === true) continue;
  run("npx", ["-y", "pnpm@12.21.0", "pack", "--pack-destination", destination], `packages/${name}`);
}
