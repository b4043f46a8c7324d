import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { emptyFolder, wep, wepInside } from "./_commands.ts";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const FILES = [
  ".dockerignore",
  ".gitignore",
  "Dockerfile",
  "README.md",
  "handlers.test.ts",
  "handlers.ts",
  "package.json",
  "sample.json",
  "sample.txt",
  "tsconfig.json",
  "wep.yaml",
  "words.activity.ts",
  "words.yaml",
];

interface Manifest {
  readonly name: string;
  readonly type: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const read = (folder: string, name: string) => readFileSync(join(folder, name), "utf8");
const manifestIn = (folder: string) => JSON.parse(read(folder, "package.json")) as Manifest;
const WHAT_NPM_WRITES = {
  name: "mine",
  version: "1.0.0",
  type: "commonjs",
  main: "index.js",
  scripts: { test: 'echo "Error: no test specified" && exit 1' },
  dependencies: { "@subnet-worker/wep": "file:../wep.tgz", zod: "4.0.0" },
};

describe("wep init", () => {
  it("writes a project into a directory that is not there yet, and says what to do next", async () => {
    await using place = await emptyFolder();
    const { code, stdout } = await wep(["init", "My Words"], { cwd: place.path });
    const project = join(place.path, "My Words");
    expect(code).toBe(0);
    expect(readdirSync(project).toSorted()).toEqual(FILES);
    for (const name of FILES) expect(stdout).toContain(`  ${name} `);
    expect(stdout).toMatch(/Next:\n {2}cd My Words\n {2}npm install\n {2}npm test\n/);
    expect(manifestIn(project)).toMatchObject({
      name: "my-words",
      type: "module",
      scripts: { test: 'node --test "*.test.ts"', dev: "wep dev", types: "wep spec types words.yaml" },
    });
    for (const name of FILES) expect(read(project, name), name).not.toContain("{{");
  });

  it("pins the compiler that this repository has, and asks for packages of its own version", async () => {
    await using place = await emptyFolder();
    await wepInside(["init"], place.path);
    const { catalog } = parse(read(REPOSITORY, "pnpm-workspace.yaml")) as {
      catalog: Record<string, string>;
    };
    const { version } = JSON.parse(read(REPOSITORY, "packages/wep/package.json")) as { version: string };
    expect(manifestIn(place.path)).toMatchObject({
      dependencies: { "@subnet-worker/wep": version, "@subnet-worker/wep-sdk": version },
      devDependencies: { typescript: catalog["typescript"], "@types/node": catalog["@types/node"] },
    });
  });

  it("names everything after the kind, and what it writes passes the compiler and its own tests", async () => {
    await using place = await emptyFolder();
    await wepInside(["init", "--kind", "acme.delete"], place.path);
    linkPackages(place.path);
    const types = await wepInside(["spec", "types", "delete.yaml", "--check"], place.path);
    expect([types.code, types.stderr]).toEqual([0, ""]);
    const run = promisify(execFile);
    const options = { cwd: place.path, env: { PATH: process.env["PATH"] } };
    await run(
      join(REPOSITORY, "node_modules/.bin/tsc"),
      ["--customConditions", "@subnet-worker/source"],
      options,
    );
    const tests = await run(process.execPath, ["--conditions=@subnet-worker/source", "--test"], options);
    expect(tests.stdout).toMatch(/pass 2\n.*fail 0\n/s);
  });

  it("is what npm create calls", async () => {
    await using place = await emptyFolder();
    const main = join(REPOSITORY, "packages/create/src/main.ts");
    const options = { cwd: place.path, env: { PATH: process.env["PATH"] } };
    const args = ["--conditions=@subnet-worker/source", main, "mine", "--kind", "acme.thing"];
    const { stdout } = await promisify(execFile)(process.execPath, args, options);
    expect(stdout).toMatch(/^Wrote to mine:\n {2}thing\.yaml/);
    expect(readdirSync(join(place.path, "mine"))).toContain("thing.activity.ts");
  });

  it("adds to a package.json that is there, keeps what that names, and says what it did", async () => {
    await using place = await emptyFolder();
    writeFileSync(join(place.path, "package.json"), JSON.stringify(WHAT_NPM_WRITES));
    const { code, stdout } = await wepInside(["init"], place.path);
    expect(code).toBe(0);
    const manifest = manifestIn(place.path);
    expect(manifest.name).toBe("mine");
    expect(manifest.type).toBe("module");
    expect(manifest.scripts["test"]).toBe('node --test "*.test.ts"');
    expect(manifest.dependencies).toMatchObject({ "@subnet-worker/wep": "file:../wep.tgz", zod: "4.0.0" });
    expect(Object.keys(manifest.dependencies)).toContain("@subnet-worker/wep-sdk");
    expect(stdout).toContain(
      "scripts and packages were added to it; its type is now module, and was commonjs",
    );
  });

  it("keeps scripts and files of the project's own, unless it is forced", async () => {
    await using place = await emptyFolder();
    const own = { type: "module", scripts: { test: "vitest" } };
    writeFileSync(join(place.path, "package.json"), JSON.stringify(own));
    writeFileSync(join(place.path, "README.md"), "mine");
    const kept = await wepInside(["init"], place.path);
    expect(kept.stdout).toMatch(/its own test stayed/);
    expect(kept.stdout).toMatch(/README\.md +was there, and is as it was/);
    expect([manifestIn(place.path).scripts["test"], read(place.path, "README.md")]).toEqual([
      "vitest",
      "mine",
    ]);
    await wepInside(["init", "--force"], place.path);
    expect(manifestIn(place.path).scripts["test"]).toBe('node --test "*.test.ts"');
    expect(read(place.path, "README.md")).toContain("# wep-test-");
  });

  it("writes nothing when a handler or a spec is there and another than its own", async () => {
    await using place = await emptyFolder();
    await wepInside(["init"], place.path);
    expect((await wepInside(["init"], place.path)).code).toBe(0); // the same again
    writeFileSync(join(place.path, "handlers.ts"), "// mine");
    writeFileSync(join(place.path, "sample.json"), "{}");
    const { code, stderr } = await wepInside(["init", "--kind", "acme.other"], place.path);
    expect(code).toBe(78);
    expect(stderr).toMatch(/^wep: \[FILE_EXISTS\] .* has handlers\.ts, .*sample\.json.* nothing was written/);
    expect(readdirSync(place.path)).not.toContain("other.yaml");
    await wepInside(["init", "--force"], place.path);
    expect(read(place.path, "handlers.ts")).toContain("defineHandler");
  });

  it.each([
    [["init", "--kind", "no kind"], {}, '--kind: "no kind" is not a kind'],
    [["init"], { "notes.txt": "" }, "[NOT_EMPTY]"],
    [["init", "notes.txt"], { "notes.txt": "" }, "[BAD_DIRECTORY]"],
    [["init"], { "package.json": "{" }, "[BAD_MANIFEST]"],
    [["init"], { "package.json": "[]" }, "[BAD_MANIFEST]"],
    [["init"], { "package.json": "{}", "index.js": "" }, "[NOT_A_MODULE]"],
  ])("%j refuses with a way out", async (args, files, problem) => {
    await using place = await emptyFolder();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(place.path, name), text);
    const { code, stderr } = await wepInside(args, place.path);
    expect([code, stderr]).toEqual([78, expect.stringContaining(problem)]);
    expect(readdirSync(place.path).toSorted()).toEqual(Object.keys(files).toSorted());
  });

  it("says so when it cannot write", async () => {
    await using place = await emptyFolder();
    mkdirSync(join(place.path, "handlers.ts"));
    writeFileSync(join(place.path, "package.json"), '{"type":"module"}');
    const refused = await wepInside(["init"], place.path);
    expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining("[FILE_EXISTS]")]);
    const forced = await wepInside(["init", "--force"], place.path);
    expect([forced.code, forced.stderr]).toEqual([78, expect.stringMatching(/\[CANNOT_WRITE\].*EISDIR/)]);
  });
});

/** As if they were installed. */
function linkPackages(project: string): void {
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, "@subnet-worker"), { recursive: true });
  mkdirSync(join(modules, "@types"), { recursive: true });
  symlinkSync(join(REPOSITORY, "node_modules/@types/node"), join(modules, "@types/node"));
  for (const name of ["wep-sdk", "activity-spec"]) {
    symlinkSync(join(REPOSITORY, "packages", name), join(modules, "@subnet-worker", name));
  }
}
