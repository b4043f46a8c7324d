import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { systemClock } from "@subnet-worker/kit";
import { expect, it } from "vitest";
import { startAnvil } from "../src/anvil.ts";
import { createRpc } from "./_rpc.ts";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await systemClock.sleep(5);
}

it("anvil answers once it is started, and is gone once it is disposed of", async () => {
  const pids: number[] = [];
  const anvil = await startAnvil({ onSpawn: (pid) => pids.push(pid) });
  expect(await createRpc(anvil.url)("eth_chainId")).toBe("0x7a69");
  expect(pids).toEqual([anvil.pid]);
  expect(anvil.wsUrl).toBe(`ws://127.0.0.1:${anvil.port}`);
  await anvil[Symbol.asyncDispose]();
  expect(isAlive(anvil.pid)).toBe(false);
  await anvil[Symbol.asyncDispose]();
});

it("several anvils started at once get ports of their own", async () => {
  await using stack = new AsyncDisposableStack();
  const anvils = await Promise.all([1, 2, 3, 4].map(async () => stack.use(await startAnvil())));
  expect(new Set(anvils.map(({ port }) => port)).size).toBe(4);
});

it("anvil takes the chain id, the port and further arguments it is given", async () => {
  // Below the ports that systems hand out by themselves: one of those might be gone by now.
  const port = 15_000 + randomInt(5_000);
  await using anvil = await startAnvil({ chainId: 4242, port, args: ["--accounts", "3"] });
  expect(anvil.port).toBe(port);
  const rpc = createRpc(anvil.url);
  expect(await rpc("eth_chainId")).toBe("0x1092");
  expect(await rpc("eth_accounts")).toHaveLength(3);
});

it("anvil mines on demand or in intervals when told so", async () => {
  const transfer = async (url: string) => {
    const rpc = createRpc(url);
    const [from] = await rpc<string[]>("eth_accounts");
    await rpc("eth_sendTransaction", { from, to: from, value: "0x1" });
    const block = await rpc("eth_blockNumber");
    await rpc("evm_mine");
    return [block, await rpc("eth_blockNumber")];
  };
  await using onDemand = await startAnvil({ noMining: true });
  await using interval = await startAnvil({ blockTimeS: 3600 });
  expect(await transfer(onDemand.url)).toEqual(["0x0", "0x1"]);
  expect(await transfer(interval.url)).toEqual(["0x0", "0x1"]);
});

it("a port that is taken is named, with what to do", async () => {
  await using holder = await startAnvil();
  const pids: number[] = [];
  await expect(startAnvil({ port: holder.port, onSpawn: (pid) => pids.push(pid) })).rejects.toMatchObject({
    code: "ANVIL_PORT_TAKEN",
    message: expect.stringContaining(`port ${holder.port} is taken`),
  });
  expect(pids.map(isAlive)).toEqual([false]);
});

it("an argument that anvil does not know is reported in its own words", async () => {
  await expect(startAnvil({ args: ["--no-such-option"] })).rejects.toMatchObject({
    code: "ANVIL_EXITED",
    message: expect.stringContaining("--no-such-option"),
  });
});

it("an anvil that does not answer in time is ended", async () => {
  // It does not listen before it knows the chain that it is to fork, and this one never answers.
  const mute = createServer().listen(0, "127.0.0.1");
  await once(mute, "listening");
  const sockets: Socket[] = [];
  mute.on("connection", (socket) => sockets.push(socket.on("error", () => undefined)));
  const { port } = mute.address() as AddressInfo;
  const pids: number[] = [];
  const attempt = startAnvil({
    timeoutMs: 100,
    args: ["--fork-url", `http://127.0.0.1:${port}`],
    onSpawn: (pid) => pids.push(pid),
  });
  await expect(attempt).rejects.toMatchObject({ code: "ANVIL_TIMEOUT" });
  expect(pids.map(isAlive)).toEqual([false]);
  for (const socket of sockets) socket.destroy();
  mute.close();
});

/** Starts anvil in a process of its own, runs `then` there, and returns anvil's pid and the exit code. */
async function inOwnProcess(
  options: string,
  then: string,
): Promise<readonly [pid: number, exitCode: unknown]> {
  const script = `
    import { startAnvil } from ${JSON.stringify(new URL("../src/anvil.ts", import.meta.url).href)};
    const anvil = await startAnvil(${options});
    process.stdout.write(String(anvil.pid));
    ${then}
  `;
  const args = ["--conditions=@subnet-worker/source", "--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [exitCode] = (await once(child, "close")) as unknown[];
  return [Number(output), exitCode];
}

it("anvil ends with the process that started it", async () => {
  const [pid, exitCode] = await inOwnProcess("{}", "process.exit(0);");
  expect(exitCode).toBe(0);
  await gone(pid);
});

it("a detached anvil outlives the process that started it", async () => {
  const [pid, exitCode] = await inOwnProcess("{ detached: true }", "process.exit(0);");
  try {
    expect(exitCode).toBe(0);
    expect(isAlive(pid)).toBe(true);
  } finally {
    process.kill(pid, "SIGKILL");
    await gone(pid);
  }
});

it("a detached anvil can be ended by a process that has nothing else to wait for", async () => {
  const [pid, exitCode] = await inOwnProcess("{ detached: true }", "await anvil[Symbol.asyncDispose]();");
  expect(exitCode).toBe(0);
  expect(isAlive(pid)).toBe(false);
});
