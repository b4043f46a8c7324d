/** `pnpm run pack`: builds every published package from nothing and puts its tarball into `tarballs/`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const destination = join(root, "tarballs");
// Without pnpm around it, too, the tools are those of the repository.
const PATH = `${join(root, "node_modules", ".bin")}${delimiter}${process.env["PATH"] ?? ""}`;

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, PATH },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${String(status)}`);
}

const published = readdirSync(join(root, "packages")).filter((name) => {
  const manifest = readFileSync(join(root, "packages", name, "package.json"), "utf8");
  return (JSON.parse(manifest) as { private?: boolean }).private !== true;
});

rmSync(destination, { recursive: true, force: true });
mkdirSync(destination);
// What a deleted source once compiled to would be packed as well.
for (const name of published) rmSync(join(root, "packages", name, "dist"), { recursive: true, force: true });
run("tsc", ["-b", "tsconfig.json"]);
const filters = published.flatMap((name) => ["--filter", `./packages/${name}`]);
run("npx", ["-y", "pnpm@12.21.0", "--silent", ...filters, "pack", "--pack-destination", destination]);
process.stdout.write(`${readdirSync(destination).length} tarballs in ${destination}\n`);
