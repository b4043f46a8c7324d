import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { startAnvil } from "@subnet-worker/contracts/anvil";
import { expect, it } from "vitest";
import { callName, ChainClient } from "../src/chain/client.ts";
import { setUpChain } from "../src/chain/setup.ts";
import { specOf } from "./_specs.ts";

const CHAIN_ID = 31_337;

it("workflows that are started from one account at the same moment all start", async () => {
  await using anvil = await startAnvil();
  const spec = specOf();
  const options = { rpcUrl: anvil.url, chainId: CHAIN_ID };
  const { contracts, requester } = await setUpChain({ ...options, workflows: [spec] });
  using client = new ChainClient({ ...options, ...contracts });
  const starts = Array.from({ length: 20 }, () => client.startWorkflow(spec.workflow, "0x", requester));
  const instances = (await Promise.all(starts)).map(({ instance }) => instance);
  expect(new Set(instances).size).toBe(starts.length);
});

interface Rpc {
  readonly id: unknown;
  readonly method: string;
}

interface RpcAnswer {
  readonly id: unknown;
  readonly result?: unknown;
}

/** Stands before a node, and says once of a receipt that it is not there yet. */
async function lateReceipt(url: string): Promise<AsyncDisposable & { readonly url: string }> {
  let hasBeen = false;
  const late = (rpc: Rpc | undefined, answer: RpcAnswer): RpcAnswer => {
    if (rpc?.method !== "eth_getTransactionReceipt" || answer.result === null || hasBeen) return answer;
    hasBeen = true;
    return { ...answer, result: null };
  };
  const headers = { "content-type": "application/json" };
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      const asked = [JSON.parse(body) as Rpc | Rpc[]].flat();
      const told = (await (await fetch(url, { method: "POST", headers, body })).json()) as
        | RpcAnswer
        | RpcAnswer[];
      const answers = [told].flat().map((answer) =>
        late(
          asked.find(({ id }) => id === answer.id),
          answer,
        ),
      );
      response.writeHead(200, headers).end(JSON.stringify(Array.isArray(told) ? answers : answers[0]));
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

it("a workflow is started once, also when the chain counts its nonce before it has the receipt", async () => {
  await using anvil = await startAnvil();
  const spec = specOf();
  const { contracts, requester } = await setUpChain({
    rpcUrl: anvil.url,
    chainId: CHAIN_ID,
    workflows: [spec],
  });
  await using node = await lateReceipt(anvil.url);
  using client = new ChainClient({ rpcUrl: node.url, chainId: CHAIN_ID, ...contracts });
  const before = await client.blockNumber();
  await client.startWorkflow(spec.workflow, "0x", requester);
  const sent = await client.transactions(before + 1, await client.blockNumber());
  expect(sent.map(({ data }) => callName(data))).toEqual(["startWorkflow"]);
});
