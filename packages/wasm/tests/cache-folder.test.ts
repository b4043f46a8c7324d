import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkCacheFolder } from "../src/cache/program-folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wasm-folder-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === "linux";

describe("a folder for metered modules", () => {
  it("is made with those above it, for its owner alone, and left empty", async () => {
    const deep = join(folder, "a", "b", "c");
    checkCacheFolder(deep);
    checkCacheFolder(deep);
    expect(await readdir(deep)).toEqual([]);
    expect((await stat(deep)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, "a"))).mode & 0o777).toBe(0o700);
  });

  it("may be behind a link", async () => {
    const link = join(folder, "link");
    await symlink(await mkdtemp(join(folder, "real-")), link);
    expect(() => checkCacheFolder(link)).not.toThrow();
  });

  it("is no file, and not below one", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const refused = /^\[WASM_BAD_REQUEST\] .*\/file cannot keep metered modules: EEXIST.*; name a folder/;
    expect(() => checkCacheFolder(file)).toThrow(refused);
    expect(() => checkCacheFolder(join(file, "below", "it"))).toThrow(/ENOTDIR/);
  });

  it("is no link that leads nowhere", async () => {
    const link = join(folder, "link");
    await symlink(join(folder, "none"), link);
    expect(() => checkCacheFolder(link)).toThrow(/ENOENT/);
  });

  it("is one that others cannot write to", async () => {
    await chmod(folder, 0o777);
    expect(() => checkCacheFolder(folder)).toThrow(`chmod 700 ${folder}`);
  });

  it.skipIf(isRoot)("can be written, and made where this process may make folders", async () => {
    await chmod(folder, 0o500);
    expect(() => checkCacheFolder(folder)).toThrow(/EACCES/);
    expect(() => checkCacheFolder(join(folder, "below"))).toThrow(/EACCES/);
    await chmod(folder, 0o700);
  });

  it.skipIf(!isLinux)("is not /proc, where root, too, can write nothing", () => {
    expect(() => checkCacheFolder("/proc")).toThrow(/ENOENT|EACCES/);
  });
});
