import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@subnet-worker/kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ControlClient } from "../src/control/control-client.ts";
import { listenControl } from "../src/control/control-server.ts";
import { FakeDesk } from "./_control-bench.ts";

const logger = createLogger({ name: "wcp", level: "silent" });

let dir: string;
let path: string;
let desk: FakeDesk;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "control-"));
  path = join(dir, "wcp.sock");
  desk = new FakeDesk();
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const serve = () => listenControl(path, desk, { logger });

/** A request as some other program might send it. */
async function raw(method: string, url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const ask = request({ socketPath: path, method, path: url }).end();
  const [answer] = (await once(ask, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
  return { status: answer.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> };
}

describe("the control socket", () => {
  it("is for its owner only, from the moment it is there, and gone with the node", async () => {
    const before = process.umask();
    {
      await using _ = await serve();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(before);
    }
    expect(existsSync(path)).toBe(false);
  });

  it("of a node that was killed is replaced", async () => {
    const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
    const dead = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    await once(dead.stdout, "data");
    dead.kill("SIGKILL");
    await once(dead, "exit");
    expect(existsSync(path)).toBe(true);
    await expect(new ControlClient(path).get("/v1/weps")).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringContaining("has ended without a word; start it again: wcp run"),
    });
    await using _ = await serve();
    expect(await new ControlClient(path).get("/v1/weps")).toEqual(desk.all);
  });

  it("of a node that lives is left to it", async () => {
    await using _ = await serve();
    await expect(serve()).rejects.toMatchObject({
      exitCode: 75,
      message: `control.socket: another process serves ${path}; stop that one first, or set control.socket to a path of its own for each node`,
    });
    expect(await new ControlClient(path).get("/v1/weps")).toEqual(desk.all);
  });

  it("never takes the place of a file", async () => {
    writeFileSync(path, "precious");
    await expect(serve()).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("is there and is no socket"),
    });
    expect(statSync(path).isFile()).toBe(true);
  });

  it("with a path too long for the system says how long, and what to do", async () => {
    path = join(dir, "x".repeat(120));
    await expect(serve()).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringMatching(
        /has \d+ bytes, and this system takes 10[37] .* set control\.socket to a shorter/,
      ),
    });
  });

  it("takes a path as long as the system does", async () => {
    const longest = process.platform === "darwin" ? 103 : 107;
    path = join(dir, "x".repeat(longest - dir.length - 1));
    await using _ = await serve();
    expect(statSync(path).isSocket()).toBe(true);
  });

  it("in a folder that is not there is told as such", async () => {
    path = join(dir, "no", "wcp.sock");
    await expect(serve()).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("cannot be made"),
    });
  });
});

describe("a request", () => {
  it.each([
    ["PUT", "/v1/weps", 405, "/v1/weps takes GET, not PUT"],
    ["GET", "/v1/weps/a/drain", 405, "takes POST, not GET"],
    ["GET", "/", 404, "is not served here; there are GET /v1/weps, "],
    ["GET", "/v2/weps", 404, "is not served here"],
    ["POST", "/v1/weps/a/b/c", 404, "is not served here"],
    ["GET", "/v1/weps/%zz", 400, '"%zz" is not percent-encoded'],
    [
      "GET",
      "/v1/weps/nobody",
      404,
      "this node has no WEP nobody; it has http://127.0.0.1:7070, https://wep-2",
    ],
    ["POST", "/v1/weps/a/drain/now", 404, "is not served here"],
    [
      "POST",
      "/v1/queues/no%2Fsuch/pause",
      404,
      "this node watches no queue no/such; it watches audio/1.0.0/proc",
    ],
  ])("%s %s is answered with %i and what is wrong", async (...[method, url, status, error]) => {
    await using _ = await serve();
    const answer = await raw(method, url);
    expect(answer.status).toBe(status);
    expect(answer.body["error"]).toContain(error);
  });

  it("that the node fails at is told as such, and the node goes on", async () => {
    await using _ = await serve();
    Object.assign(desk, { all: undefined });
    expect(await raw("GET", "/v1/weps/a")).toMatchObject({ status: 500 });
    expect(await raw("GET", "/v1/queues")).toMatchObject({ status: 200 });
  });

  it("for a ping without a pong has the reason", async () => {
    await using _ = await serve();
    desk.pong = new Error("WEP a did not answer within 5 s");
    const url = encodeURIComponent("http://127.0.0.1:7070");
    await expect(new ControlClient(path).post(`/v1/weps/${url}/ping`)).rejects.toMatchObject({
      exitCode: 75,
      message: "WEP a did not answer within 5 s",
    });
  });
});
