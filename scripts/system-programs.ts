/**
 * Programs that some tests need and npm does not have. One that is missing is unpacked from its Debian
 * package into `.cache/debian`, without installing it: a server's package would start the server. Where
 * that cannot be done, the tests that need it are skipped by name.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

const PROGRAMS: Readonly<Record<string, string>> = { promtool: "prometheus" };
const root = resolve(import.meta.dirname, "..", ".cache", "debian");

function runs(command: string, args: readonly string[], cwd = "."): boolean {
  return spawnSync(command, args, { cwd, stdio: "ignore" }).status === 0;
}

function unpack(debianPackage: string): boolean {
  const folder = join(root, debianPackage);
  mkdirSync(folder, { recursive: true });
  const download = () => runs("apt-get", ["download", debianPackage], folder);
  // A fresh machine has no package lists yet.
  if (!download() && !(runs("apt-get", ["update"]) && download())) return false;
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
  return archive !== undefined && runs("dpkg-deb", ["-x", archive, "."], folder);
}

/** A PATH on which every program is that can be had; says on standard output what cannot. */
export function pathWithPrograms(path: string): string {
  const folders: string[] = [];
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    if (runs(program, ["--version"])) continue;
    const bin = join(root, debianPackage, "usr", "bin");
    if (existsSync(join(bin, program)) || unpack(debianPackage)) folders.push(bin);
    else
      process.stdout.write(
        `${program} is not to be had here (Debian package ${debianPackage}); its tests are skipped\n`,
      );
  }
  return [...folders, path].join(delimiter);
}
