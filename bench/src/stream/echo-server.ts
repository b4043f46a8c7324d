/** A bare Connect server: answers each assignment with its completion and does nothing else. Prints its port. */
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Envelope, envelope, Execution } from "@subnet-worker/protocol";

const resultInline = new TextEncoder().encode('{"number":7}');

async function* taskStream(requests: AsyncIterable<Envelope>): AsyncGenerator<Envelope> {
  for await (const { msg } of requests) {
    if (msg.case !== "assign") continue;
    const { activityId, runId } = msg.value;
    yield envelope("completion", { activityId, runId, status: "SUCCESS", resultInline });
  }
}

const server = createServer(
  connectNodeAdapter({ routes: (router) => void router.service(Execution, { taskStream }) }),
);
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
