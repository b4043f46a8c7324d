/** Handlers, and the spec of one of them, for the tests of commands that send work. */
export const SENT_FILES: Readonly<Record<string, string>> = {
  "words.yaml": `
task_kind: demo.words
task_version: 1.0.0
limits: { timeout: 1m }
inputs:
  - { name: text_object_key, type: string, media_type: text/plain, max_size: 1KB }
  - { name: longest, type: uint32 }
  - { name: total, type: uint256 }
  - { name: flags, type: "(bool,string)[]" }
outputs:
  - { name: words, type: uint32 }
  - { name: total, type: uint256 }
  - { name: report_object_key, type: string, media_type: text/plain, max_size: 1KB }
`,
  "compose.yaml": "services: {}\n",
  "handlers.ts": `
import { Readable } from "node:stream";
import { defineHandler, RetryableError } from "SDK";

export const words = defineHandler({
  kind: "demo.words",
  version: "1.0.0",
  async run({ text_object_key: text, longest, total, flags }, ctx) {
    const words = new TextDecoder().decode(await text.bytes()).split(/\\s+/).filter(Boolean);
    await ctx.progress(50, words.length + " words\\u001b[31m");
    if (words.includes("wrong")) return { words: "many", total, report_object_key: "elsewhere" };
    if (words.includes("nowhere")) return { words: 1, total, report_object_key: "elsewhere" };
    const list = words.toSorted((a, b) => b.length - a.length).slice(0, longest);
    const body = words.includes("large") ? "x".repeat(2000) : list.join("\\n");
    const report = await ctx.upload("lists/longest.txt", body, { mediaType: text.mediaType });
    return { words: words.length, total: total + BigInt(flags.length), report_object_key: report.objectKey };
  },
});

export const echo = defineHandler({ kind: "demo.echo", version: "1.0.0", run: async (input) => {
  const entries = Object.entries(input).map(async ([name, value]) =>
    [name, typeof value === "object" && "bytes" in value ? String(Buffer.from(await value.bytes())) : value]);
  return Object.fromEntries(await Promise.all(entries));
} });

export const echo2 = defineHandler({ kind: "demo.echo", version: "2.0.0", run: () => ({ second: true }) });

export const flaky = defineHandler({ kind: "demo.flaky", version: "1.0.0", run() {
  throw new RetryableError("the service is busy", { retryAfterMs: 1500 });
} });

export const wait = defineHandler({ kind: "demo.wait", version: "1.0.0", run: (_, ctx) =>
  new Promise((_resolve, reject) => {
    const pending = setInterval(() => undefined, 60_000);
    void ctx.progress(1, "waiting");
    ctx.signal.addEventListener("abort", () => {
      clearInterval(pending);
      reject(ctx.signal.reason);
    });
  }) });

export const store = defineHandler({ kind: "demo.store", version: "1.0.0", async run(input, ctx) {
  const chunk = new Uint8Array(1024 * 1024).fill(7);
  const stream = Readable.toWeb(Readable.from(Array.from({ length: 18 }, () => chunk)));
  const { objectKey } = await ctx.upload("large.bin", stream, { mediaType: "application/octet-stream" });
  const again = await ctx.download(objectKey);
  let sizeBytes = 0;
  for await (const part of again.stream()) sizeBytes += part.length;
  const refusals = [];
  for (const key of ["runs/other/secret", objectKey + "/../../x"]) {
    try { refusals.push(String(await (await ctx.download(key)).bytes())); } catch (error) { refusals.push(error.message); }
  }
  return { sizeBytes, refusals };
} });
`,
};
