// What a server loads before it can be reached: each file that it does not need makes it start later.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const SDK = new URL("../src/index.ts", import.meta.url).href;
const HANDLERS = fileURLToPath(new URL("_handlers.ts", import.meta.url));

/** Serves with these options and ends; the names of the files of this package that were loaded by then. */
async function loadedBy(options: string): Promise<readonly string[]> {
  const program = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    const { defineHandler, serve } = await import(${JSON.stringify(SDK)});
    const greet = defineHandler({ kind: "demo.greet", version: "1.0.0", run: () => ({}) });
    await using _ = await serve({ port: 0, health: false, ${options} });
    console.log("LOADED " + JSON.stringify(loaded.filter((url) => url.includes("/wep-sdk/src/"))));
  `;
  const args = ["--conditions=@subnet-worker/source", "--input-type=module", "--eval", program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const line = stdout.split("\n").find((text) => text.startsWith("LOADED ")) ?? "LOADED []";
  const urls = JSON.parse(line.slice("LOADED ".length)) as readonly string[];
  return urls.map((url) => url.replace(/.*\/wep-sdk\/src\//, ""));
}

describe("a server that starts", () => {
  it("loads nothing of threads where it has no modules", async () => {
    const loaded = await loadedBy("handlers: [greet]");
    expect(loaded).toContain("server.ts");
    expect(
      loaded.filter((name) => /^threads\/(?!handler-info|serve-modules|load-modules)/.test(name)),
    ).toEqual([]);
  });

  it("loads them where it has", async () => {
    expect(await loadedBy(`modules: [${JSON.stringify(HANDLERS)}]`)).toContain("threads/thread-pool.ts");
  });

  it("loads nothing of the testing kit", async () => {
    const loaded = await loadedBy("handlers: [greet]");
    expect(loaded.filter((name) => name.startsWith("testing/"))).toEqual([]);
  });
});
