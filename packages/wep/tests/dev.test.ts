import { once } from "node:events";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { wep, wepInside } from "./_commands.ts";
import { folderWith, startWep, type WepProcess } from "./_wep-process.ts";

const HANDLERS = `
import { defineHandler } from "SDK";
import { word } from "./word.ts";
export const say = defineHandler({ kind: "demo.say", version: "1.0.0", run: () => ({ word }) });
export const slow = defineHandler({ kind: "demo.slow", version: "1.0.0", run: async (_, ctx) => {
  const { existsSync } = await import("node:fs");
  void ctx.progress(1, "under way");
  while (!existsSync("finish")) { ctx.signal.throwIfAborted(); await new Promise((done) => setTimeout(done, 20)); }
  return { finished: true };
} });
`;
const SPEC = `task_kind: demo.say
task_version: 1.0.0
outputs: [{ name: word, type: string }]
`;
const FILES = {
  "handlers.ts": HANDLERS,
  "word.ts": 'export const word: string = "one";\n',
  "say.yaml": SPEC,
  "other.ts": "export {};\n",
};
const FREE = ["--port", "0", "--health-port", "0"];

/** Where the worker listens that started last. */
async function listening(dev: WepProcess, times: number): Promise<string> {
  await dev.printed(new RegExp(`(wep listening[^]*){${times}}`));
  const all = [...dev.text.stdout.matchAll(/wep listening +host=(\S+) +port=(\d+)/g)];
  const [, host = "", port = ""] = all.at(-1) ?? [];
  return `http://${host}:${port}`;
}

async function wordAt(url: string, cwd: string): Promise<unknown> {
  const { stdout } = await wepInside(["send", "demo.say", "--url", url, "--json"], cwd);
  return (JSON.parse(stdout) as { outputs?: { word?: unknown } }).outputs?.word;
}

describe("wep dev", () => {
  it("runs handlers, and again after a change of what they import; ends with all it has started", async () => {
    await using folder = await folderWith(FILES);
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], { cwd: folder.path });
    const first = await listening(dev, 1);
    await dev.printed(/to send it a task, in another terminal: npx wep send demo\.say --url http/);
    expect(await wordAt(first, folder.path)).toBe("one");

    // As editors save: another file in its place. What is no part of the project is left alone.
    writeFileSync(join(folder.path, "other.ts"), "export const changed = 1;\n");
    // So is what was saved without a change.
    const handlers = readFileSync(join(folder.path, "handlers.ts"), "utf8");
    writeFileSync(join(folder.path, "handlers.ts"), handlers);
    writeFileSync(join(folder.path, "word.new"), 'export const word: string = "two";\n');
    renameSync(join(folder.path, "word.new"), join(folder.path, "word.ts"));
    const second = await listening(dev, 2);
    expect(await wordAt(second, folder.path)).toBe("two");
    expect(dev.text.stdout).toContain("wep dev: word.ts changed\n");
    expect(dev.text.stdout).not.toContain("other.ts");

    dev.child.kill("SIGINT");
    expect(await dev.exited).toBe(0);
    expect((await wepInside(["send", "demo.say", "--url", second], folder.path)).stderr).toContain(
      "[NO_WEP]",
    );
    expect(dev.text.stderr).toBe("");
  });

  it("shows what is wrong with a handler, and waits for the next change", async () => {
    await using folder = await folderWith({ ...FILES, "handlers.ts": `${HANDLERS}\nexport const = 1;` });
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], { cwd: folder.path });
    await dev.printed(/the worker ended with 78; waiting for the next change/);
    await dev.complained(/\[BAD_MODULE\] .*handlers\.ts cannot be imported: SyntaxError/);
    const repaired = readFileSync(join(folder.path, "handlers.ts"), "utf8").replace("export const = 1;", "");
    writeFileSync(join(folder.path, "handlers.ts"), repaired);
    expect(await wordAt(await listening(dev, 1), folder.path)).toBe("one");
  });

  it("waits for a module that is not there yet", async () => {
    await using folder = await folderWith(FILES);
    rmSync(join(folder.path, "word.ts"));
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], { cwd: folder.path });
    await dev.printed(/the worker ended with 78; waiting for the next change/);
    writeFileSync(join(folder.path, "word.ts"), FILES["word.ts"]);
    expect(await wordAt(await listening(dev, 1), folder.path)).toBe("one");
  });

  it("writes types again when their spec changes, and leaves the worker be while it is wrong", async () => {
    await using folder = await folderWith(FILES);
    await wepInside(["spec", "types", "say.yaml"], folder.path);
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], { cwd: folder.path });
    await listening(dev, 1);
    writeFileSync(join(folder.path, "say.yaml"), SPEC.replace("type: string", "type: strin"));
    await dev.printed(/the worker goes on as it was; waiting for the next change/);
    await dev.complained(/\[BAD_SPEC\].*\n.*say\.yaml:3/);
    writeFileSync(join(folder.path, "say.yaml"), SPEC.replace("name: word", "name: text"));
    await listening(dev, 2);
    expect(dev.text.stdout).toContain("say.activity.ts: written, demo.say");
    expect(readFileSync(join(folder.path, "say.activity.ts"), "utf8")).toContain("readonly text: string");
  });

  it("lets a run under way finish before the worker starts again", async () => {
    await using folder = await folderWith(FILES);
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], { cwd: folder.path });
    const url = await listening(dev, 1);
    await using sending = startWep(["send", "demo.slow", "--url", url], { cwd: folder.path });
    await sending.printed(/under way/);
    writeFileSync(join(folder.path, "word.ts"), 'export const word: string = "two";\n');
    await dev.printed(/draining/);
    writeFileSync(join(folder.path, "finish"), "");
    expect(await sending.exited).toBe(0);
    expect(sending.text.stdout).toMatch(/^ {2}finished {2}true$/m);
    await listening(dev, 2);
  });

  it("takes its worker along when it is killed", async () => {
    await using folder = await folderWith(FILES);
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], { cwd: folder.path });
    const url = await listening(dev, 1);
    dev.child.kill("SIGKILL");
    await dev.exited;
    const gone = async () => (await wepInside(["send", "demo.say", "--url", url], folder.path)).stderr;
    while (!(await gone()).includes("[NO_WEP]"));
  });

  it("ends when npm has ended the shell that started it", async () => {
    await using folder = await folderWith(FILES);
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], {
      cwd: folder.path,
      env: { npm_lifecycle_event: "dev" },
      throughShell: true,
    });
    await listening(dev, 1);
    dev.child.kill("SIGKILL");
    // By then all who could write to it have gone.
    await dev.exited;
    expect(dev.text.stdout).toContain("drained");
  });

  it("ends when nobody reads what it says any more", async () => {
    await using folder = await folderWith(FILES);
    await using dev = startWep(["dev", "--handlers", "handlers.ts", ...FREE], { cwd: folder.path });
    await listening(dev, 1);
    dev.child.stdout?.destroy();
    writeFileSync(join(folder.path, "word.ts"), 'export const word: string = "two";\n');
    expect(await dev.exited).toBe(0);
  });

  it("ends with a word when the port is taken", async () => {
    const other = createServer();
    await once(other.listen(0, "127.0.0.1"), "listening");
    const port = String((other.address() as AddressInfo).port);
    await using folder = await folderWith(FILES);
    const args = ["dev", "--handlers", "handlers.ts", "--port", port, "--health-port", "0"];
    const { code, stderr } = await wep(args, { cwd: folder.path });
    other.close();
    expect([code, stderr]).toEqual([75, expect.stringContaining(`127.0.0.1:${port}`)]);
  });

  it("says what to install for --devnet", async () => {
    await using folder = await folderWith(FILES);
    const { code, stderr } = await wep(["dev", "--handlers", "handlers.ts", "--devnet", ...FREE], {
      cwd: folder.path,
    });
    expect([code, stderr]).toEqual([
      78,
      expect.stringContaining("npm install --save-dev @subnet-worker/devnet"),
    ]);
  });

  it.each([
    [[], {}, "[NO_HANDLERS]"],
    [[], { "wep.yaml": "handlers: {" }, "cannot be read as YAML"],
    [["--handlers", "handlers.ts", "--config", "nix.yaml"], {}, "nix.yaml: no such file"],
  ])("%j is refused with a way out", async (args, files, problem) => {
    await using folder = await folderWith({ ...FILES, ...files });
    const { code, stderr } = await wepInside(["dev", ...args, ...FREE], folder.path);
    expect([code, stderr]).toEqual([78, expect.stringContaining(problem)]);
  });
});
