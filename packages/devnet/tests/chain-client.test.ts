import { startAnvil } from "@subnet-worker/contracts/anvil";
import { expect, it } from "vitest";
import { ChainClient } from "../src/chain/client.ts";
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
