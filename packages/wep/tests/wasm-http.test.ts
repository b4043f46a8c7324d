// A component that sends a request of HTTP, from the assignment to a server and back: a WEP of its own, its
// configuration, the module from storage, the engine, the filter of addresses.
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { handlerInTypeScript } from "../../wasm/tests/_components.ts";
import { assignment, TestStream } from "../../wep-sdk/tests/_stream.ts";
import { resultOf } from "../../wep-sdk/tests/_wep.ts";
import { folderWith, startWep } from "./_wep-process.ts";

/** Building the component takes most of a minute where it is not kept, and metering its engine of 12 MB some seconds. */
const SLOW_MS = 300_000;

let component: Uint8Array;
beforeAll(async () => {
  component = await handlerInTypeScript();
}, SLOW_MS);

async function listening(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A WEP, whose runs have their module from a server that stands for storage. */
async function worker(env: Readonly<Record<string, string>>) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await folderWith({}));
  const storagePort = await listening((_request, response) => response.end(component));
  const wep = stack.use(
    startWep(["run", "--port", "0", "--health-port", "0"], {
      cwd: folder.path,
      env: { WEP__WASM__ENABLED: "true", WEP__WASM__MODULE__COMPILE_S: "120", ...env },
    }),
  );
  const { port } = await wep.logged("wep listening");
  const stream = stack.use(await TestStream.open(Number(port)));
  const module = {
    name: "module_object_key",
    ref: `http://127.0.0.1:${storagePort}/programs/handler.wasm`,
    objectKey: "programs/handler.wasm",
    abiType: "string",
  };
  const run = async (what: string, argument: string) => {
    const input = JSON.stringify(JSON.stringify({ do: what, argument }));
    const assigned = assignment({
      taskKind: "wasm.execute",
      inputs: [
        module,
        { name: "input", inlineJson: input, abiType: "string" },
        { name: "input_type", inlineJson: '"application/json"', abiType: "string" },
        { name: "max_time_s", inlineJson: "60", abiType: "uint32" },
      ],
      outputs: [{ name: "output_text", abiType: "string" }],
    });
    stream.send("assign", assigned);
    return await stream.next(
      "completion",
      ({ runId, activityId }) => activityId === assigned.activityId && runId === assigned.runId,
    );
  };
  const owned = stack.move();
  return { run, storagePort, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A server that answers, and what it was asked. */
async function service() {
  const asked: string[] = [];
  const port = await listening((request, response) => {
    void text(request).then((body) => {
      asked.push(`${request.method} ${request.url} ${String(request.headers["x-mine"])} ${body}`);
      return response.writeHead(202, { "x-type": "answer" }).end("from outside");
    });
  });
  return { asked, port };
}

it("a component reaches what wasm.http grants, and nothing beside it", { timeout: SLOW_MS }, async () => {
  const { asked, port } = await service();
  await using granted = await worker({
    WEP__WASM__HTTP__ALLOWED_HOSTS: "127.0.0.1",
    WEP__WASM__HTTP__PORTS: String(port),
    WEP__WASM__HTTP__ALLOW_PLAINTEXT: "true",
    WEP__WASM__HTTP__NETWORKS: "127.0.0.1",
  });
  const completion = await granted.run("fetch", `http://127.0.0.1:${port}/a?b=c`);
  const { output_text: output } = resultOf(completion) as { readonly output_text: string };
  expect(JSON.parse(output)).toEqual({ status: 202, type: "answer", text: "from outside" });
  expect(asked).toEqual(["POST /a?b=c 1 from inside"]);
  // Its own module lies there, which a run may read and a program may not.
  const other = await granted.run("reach", `http://127.0.0.1:${granted.storagePort}/programs/handler.wasm`);
  expect((resultOf(other) as { readonly output_text: string }).output_text).toMatch(/^"refused: /);
});

it("without a grant the component is refused by what it imports", { timeout: SLOW_MS }, async () => {
  const { asked, port } = await service();
  await using refusing = await worker({});
  const completion = await refusing.run("fetch", `http://127.0.0.1:${port}/a?b=c`);
  expect(completion).toMatchObject({ status: "ERROR", errorCode: 2_003, retryable: false });
  expect(completion.error).toMatch(/^\[WASM_REFUSED_IMPORT\] .*wasi:http\/.*may not send requests/);
  expect(asked).toEqual([]);
});
