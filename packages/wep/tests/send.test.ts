import { createServer as createHttpServer } from "node:http";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { ScriptedWep } from "@subnet-worker/testkit";
import { TestAuthority, writeCertificate } from "@subnet-worker/testkit/certificates";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wep, wepInside } from "./_commands.ts";
import { SENT_FILES } from "./_sent-handlers.ts";
import { type Folder, folderWith, startWep, type WepProcess } from "./_wep-process.ts";

let folder: Folder;
let worker: WepProcess;
let url: string;

beforeAll(async () => {
  folder = await folderWith({
    ...SENT_FILES,
    "fox.txt": "the quick brown fox",
    "big.txt": "x".repeat(1_001),
    "inputs.json": JSON.stringify({
      text_object_key: "fox.txt",
      longest: 2,
      total: "340282366920938463463374607431768211456",
      flags: [[true, "a"]],
    }),
  });
  worker = startWep(["run", "--handlers", "handlers.ts", "--port", "0", "--health-port", "0"], {
    cwd: folder.path,
  });
  const { port } = await worker.logged("wep listening");
  url = `http://127.0.0.1:${String(port)}`;
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Sends to the worker, from the folder with the specs: as a program, or within this process. */
const sendAlone = (...args: string[]) => wep(["send", ...args, "--url", url], { cwd: folder.path });
const send = (...args: string[]) => wepInside(["send", ...args, "--url", url], folder.path);
const COMPLETE = ["--input", "inputs.json"];

describe("wep send", () => {
  it("sends values by their types and files as objects, and saves what the run writes", async () => {
    const { code, stdout, stderr } = await sendAlone("demo.words", ...COMPLETE, "--out", "results");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^demo\.words 1\.0\.0 at http/);
    expect(stdout).toContain("   50%  4 words [31m\n"); // not what would colour a terminal
    expect(stdout).toMatch(/^success in \d+ ms$/m);
    expect(stdout).toMatch(/^ {2}words +4$/m);
    expect(stdout).toMatch(/^ {2}total +"340282366920938463463374607431768211457"$/m);
    expect(stdout).toMatch(/^ {2}report_object_key +results\/lists\/longest\.txt \(11 bytes\)$/m);
    expect(readFileSync(join(folder.path, "results/lists/longest.txt"), "utf8")).toBe("quick\nbrown");
  });

  it("takes single inputs over those of a file, and tells a script all in one document", async () => {
    const { code, stdout } = await sendAlone(
      "demo.words@1.0.0",
      ...COMPLETE,
      "--input",
      "longest=1",
      "--json",
    );
    expect(code).toBe(0);
    const told = JSON.parse(stdout) as { files: { path: string }[] };
    expect(told).toMatchObject({
      kind: "demo.words",
      version: "1.0.0",
      status: "success",
      outputs: { words: 4 },
      files: [{ objectKey: expect.stringMatching(/^runs\/.*\/lists\/longest\.txt$/), sizeBytes: 5 }],
    });
    expect(told.files[0]?.path).toMatch(/^wep-out\/\w+\/lists\/longest\.txt$/);
    expect(readFileSync(join(folder.path, told.files[0]?.path ?? ""), "utf8")).toBe("quick");
  });

  it("takes JSON as it is where there is no spec, and files after an @", async () => {
    const inputs = ["n=12", "list=[1,{}]", "plain=some text", "at=@@home", "file=@fox.txt"];
    const { stdout } = await send(
      "demo.echo@1.0.0",
      ...inputs.flatMap((each) => ["--input", each]),
      "--json",
    );
    expect(JSON.parse(stdout)).toMatchObject({
      status: "success",
      outputs: { n: 12, list: [1, {}], plain: "some text", at: "@home", file: "the quick brown fox" },
    });
  });

  it("carries uploads in parts and downloads, and refuses what a node would refuse", async () => {
    const { code, stdout } = await send("demo.store", "--json", "--out", "stored");
    expect(code, stdout).toBe(0);
    const { outputs } = JSON.parse(stdout) as { outputs: { sizeBytes: number; refusals: string[] } };
    expect(outputs.sizeBytes).toBe(18 * 1024 * 1024);
    for (const refusal of outputs.refusals) expect(refusal).toContain("may not read");
    expect(statSync(join(folder.path, "stored/large.bin")).size).toBe(18 * 1024 * 1024);
  });

  it("leaves nothing behind but what it saved", async () => {
    await using temporary = await folderWith({});
    // A temporary folder of its own: other tests send, too.
    const env = { TMPDIR: temporary.path };
    const store = ["send", "demo.store", "--url", url, "--out", "left"];
    expect((await wep(store, { cwd: folder.path, env })).code).toBe(0);
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  it("shows how a run failed, and whether a node would try it again", async () => {
    const { code, stdout } = await send("demo.flaky");
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^failed in \d+ ms: \w+ \(\d+\); a node would try it again, not before 1500 ms\n.*the service is busy/m,
    );
  });

  it.each([
    ["wrong", /INVALID_FORMAT \(1003\).*\n.*output "words": expected uint32/],
    ["nowhere", /output report_object_key: there is no object "elsewhere"/],
    ["large", /output report_object_key: .*longest\.txt has 2000 bytes, and the spec allows 1000/],
  ])("holds a result against the spec as a node would: %s", async (word, problem) => {
    writeFileSync(join(folder.path, `${word}.txt`), word);
    const { code, stdout } = await send("demo.words", ...COMPLETE, "--input", `text_object_key=${word}.txt`);
    expect(code).toBe(1);
    expect(stdout).toMatch(problem);
  });

  it("cancels the run when it takes too long", async () => {
    const { code, stdout } = await send("demo.wait", "--timeout", "300ms");
    expect([code, stdout]).toEqual([1, expect.stringContaining("CANCELLED_BY_TIMEOUT (5002)")]);
  });

  it("cancels the run at Ctrl-C, and waits for its end", async () => {
    await using sending = startWep(["send", "demo.wait", "--url", url], { cwd: folder.path });
    await sending.printed(/waiting/);
    sending.child.kill("SIGINT");
    expect(await sending.exited).toBe(1);
    expect(sending.text.stdout).toContain("CANCELLED_BY_USER (5001)");
  });

  it.each([
    [["demo.word"], "has no handler for demo.word; it has demo.echo@1.0.0, demo.echo@2.0.0"],
    [["demo.echo"], "several versions of demo.echo; write demo.echo@1.0.0 or demo.echo@2.0.0"],
    [["demo.words@7.0.0"], "has no handler for demo.words@7.0.0"],
    [["@1.0.0"], '"@1.0.0" names no handler'],
    [["demo.words"], "text_object_key: missing; expected string"],
    [["demo.words", "--input", "nix.json"], "nix.json: there is no such file"],
    [["demo.words", "--input", "fox.txt"], "fox.txt is not JSON"],
    [["demo.words", ...COMPLETE, "--input", "longest=-1"], "longest: expected uint32"],
    [["demo.words", ...COMPLETE, "--input", "longst=1"], "longst: no such parameter; did you mean longest?"],
    [["demo.words", ...COMPLETE, "--input", "text_object_key=@nix"], "nix does not exist"],
    [["demo.words", ...COMPLETE, "--input", "text_object_key=."], "is no file"],
    [
      ["demo.words", ...COMPLETE, "--input", "text_object_key=big.txt"],
      "1001 bytes, and the spec allows 1000",
    ],
    [["demo.words", "--spec", "nix.yaml"], "the spec nix.yaml cannot be read"],
    [["demo.words", "--spec", "compose.yaml"], "compose.yaml"],
    [["demo.echo@1.0.0", "--spec", "words.yaml"], "declares no demo.echo@1.0.0, only demo.words@1.0.0"],
    [["demo.words", ...COMPLETE, "--store-host", "here"], '--store-host: "here" is no address'],
    [["demo.wait", "--timeout", "soon"], '--timeout: "soon" is not a duration'],
    [["demo.wait", "--ca", "words.yaml"], "write --url https://"],
    [["demo.wait", "--cert", "words.yaml"], "--cert and --key belong together"],
  ])("%j is refused with a way out", async (args, problem) => {
    const { code, stderr } = await send(...args);
    expect([code, stderr]).toEqual([78, expect.stringContaining(problem)]);
  });

  it("shows where a broken spec is wrong, where no other declares the kind", async () => {
    await using broken = await folderWith({ "a.yaml": "task_kind: demo.echo\ntask_version: 1\n" });
    const { code, stderr } = await wepInside(["send", "demo.echo", "--url", url], broken.path);
    expect([code, stderr]).toEqual([78, expect.stringContaining("a.yaml:2: ")]);
  });
});

describe("wep send, where there is no WEP", () => {
  it("says where it has looked, and how to start one", async () => {
    // No program is ever given this port.
    const nobody = "http://127.0.0.1:1";
    const { code, stderr } = await wepInside(["send", "demo.words@1.0.0", "--url", nobody], tmpdir());
    expect([code, stderr]).toEqual([
      75,
      expect.stringContaining(`no WEP answers at ${nobody}; start one with wep dev`),
    ]);
    const nonsense = await wepInside(["send", "demo.words", "--url", "here"], tmpdir());
    expect([nonsense.code, nonsense.stderr]).toEqual([78, expect.stringContaining('"here" is not a URL')]);
  });

  it("says so when something else answers", async () => {
    const other = createHttpServer((_, response) => response.writeHead(404).end("no"));
    await once(other.listen(0, "127.0.0.1"), "listening");
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await wepInside(
      ["send", "demo.words@1.0.0", "--url", `http://127.0.0.1:${port}`],
      tmpdir(),
    );
    other.close();
    expect([code, stderr]).toEqual([1, expect.stringContaining("no WEP's gRPC server")]);
  });

  it("runs on one of 1.0.0, which says nothing of what it can run", async () => {
    await using simple = await ScriptedWep.listen();
    const sent = wepInside(["send", "demo.old@1.0.0", "--input", "n=1", "--url", simple.url], tmpdir());
    const stream = await simple.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    const { activityId, runId, inputs } = await stream.next("assign");
    expect(inputs).toMatchObject([{ name: "n", inlineJson: "1" }]);
    stream.send("completion", {
      activityId,
      runId,
      status: "SUCCESS",
      resultInline: new TextEncoder().encode('{"n":2}'),
    });
    const { code, stdout } = await sent;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^ {2}n {2}2$/m)]);
    expect(stream.kinds()).toEqual(["hello", "assign"]);
  });

  it("holds against the spec what a WEP sends that does not do so itself", async () => {
    await using simple = await ScriptedWep.listen();
    const sent = wepInside(["send", "demo.words", ...COMPLETE, "--url", simple.url], folder.path);
    const stream = await simple.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    const { activityId, runId, outputs } = await stream.next("assign");
    expect(outputs.map(({ name }) => name)).toEqual(["words", "total", "report_object_key"]);
    stream.send("completion", { activityId, runId, status: "SUCCESS", resultRef: "elsewhere" });
    const { code, stdout } = await sent;
    expect(code).toBe(1);
    expect(stdout).toMatch(/the result is not what the spec declares:\n.*words: missing; expected uint32/);
    expect(stdout).toMatch(/report_object_key +"elsewhere"/);
  });

  it("says so when the WEP goes away in the middle, and when it refuses", async () => {
    await using scripted = await ScriptedWep.listen();
    const cut = wepInside(["send", "demo.gone@1.0.0", "--url", scripted.url], tmpdir());
    const first = await scripted.next();
    await first.welcome();
    await first.next("assign");
    first.end();
    const gone = await cut;
    expect([gone.code, gone.stderr]).toEqual([
      1,
      expect.stringContaining("ended the stream before the end of the run"),
    ]);

    const refused = wepInside(["send", "demo.gone@1.0.0", "--url", scripted.url], tmpdir());
    const second = await scripted.next();
    await second.welcome();
    const { activityId, runId } = await second.next("assign");
    second.send("rejection", { activityId, runId, errorCode: 4002, reason: "[SYSTEM_OVERLOAD] full" });
    const { code, stdout } = await refused;
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^refused in .*SYSTEM_OVERLOAD \(4002\)/m)]);
  });
});

describe("wep send, to another machine", () => {
  const [address] = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map((each) => each.address);

  it.skipIf(address === undefined)(
    "serves objects where it is told, and says so when it is not",
    async () => {
      const env = { WEP__SERVER__ALLOW_PLAINTEXT: "true" };
      await using remote = startWep(
        ["run", "--handlers", "handlers.ts", "--host", address ?? "", "--port", "0", "--health-port", "0"],
        { cwd: folder.path, env },
      );
      const { port } = await remote.logged("wep listening");
      const at = (...args: string[]) =>
        wepInside(["send", ...args, "--url", `http://${address}:${String(port)}`], folder.path);
      const refused = await at("demo.words", ...COMPLETE);
      expect([refused.code, refused.stderr]).toEqual([
        78,
        expect.stringContaining("--store-host says at which"),
      ]);
      const warned = await at("demo.echo@2.0.0");
      expect([warned.code, warned.stderr]).toEqual([
        0,
        expect.stringContaining("--store-host says at which"),
      ]);
      const served = await at("demo.words", ...COMPLETE, "--store-host", address ?? "", "--json");
      expect([served.code, served.stderr]).toEqual([0, ""]);
      expect(JSON.parse(served.stdout)).toMatchObject({ status: "success", outputs: { words: 4 } });
    },
  );
});

describe("wep send, with TLS", () => {
  it("shows its certificate, and says what is wrong with the WEP's", async () => {
    await using files = await folderWith({ "handlers.ts": SENT_FILES["handlers.ts"] ?? "" });
    const ours = await TestAuthority.create("ours");
    const stranger = await TestAuthority.create("stranger");
    const issue = async (name: string, authority: TestAuthority) =>
      writeCertificate(files.path, name, {
        ...(await authority.issue({ names: ["wep.test"] })),
        ca: authority.cert,
      });
    const { caFile, certFile, keyFile } = await issue("wep", ours);
    const other = await issue("other", stranger);
    await using secure = startWep(["run", "--handlers", "handlers.ts", "--port", "0", "--health-port", "0"], {
      cwd: files.path,
      env: {
        WEP__SERVER__TLS__ENABLED: "true",
        WEP__SERVER__TLS__CERT_FILE: certFile,
        WEP__SERVER__TLS__KEY_FILE: keyFile,
        WEP__SERVER__TLS__CA_CERT_FILE: caFile,
      },
    });
    const { port } = await secure.logged("wep listening");
    const at = (...args: string[]) =>
      wepInside(
        ["send", "demo.echo@2.0.0", "--url", `https://127.0.0.1:${String(port)}`, ...args],
        files.path,
      );
    const identity = ["--cert", certFile, "--key", keyFile];
    const good = await at("--ca", caFile, ...identity, "--server-name", "wep.test");
    expect([good.code, good.stderr]).toEqual([0, ""]);
    expect((await at("--ca", caFile, ...identity)).stderr).toContain(
      "give the name it is for with --server-name",
    );
    expect((await at("--ca", other.caFile, ...identity, "--server-name", "wep.test")).stderr).toMatch(
      /wrong CA/,
    );
    expect((await at("--ca", caFile, "--server-name", "wep.test")).stderr).toMatch(/--cert and --key/);
    const plain = await wepInside(
      ["send", "demo.echo@2.0.0", "--url", `http://127.0.0.1:${String(port)}`],
      files.path,
    );
    expect(plain.stderr).toContain("plain text on a TLS port");
  });
});
