import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import type { Folder } from "../src/folder.ts";
import { Signer } from "../src/grants.ts";
import { serve, type ServedRequest } from "../src/serve.ts";
import type { Uploads } from "../src/uploads.ts";

it("a disk that fills up in the middle of an upload is answered with 503, so that the client tries again", async () => {
  const signer = new Signer(Buffer.alloc(32), () => 0);
  // Nothing else of a folder is used by a PUT.
  const folder = {
    write: async (_key: string, content: AsyncIterable<Uint8Array>) => {
      for await (const _chunk of content) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    },
  } as unknown as Folder;
  const served: ServedRequest[] = [];
  const server = createServer((request, response) => {
    void serve(request, response, { folder, uploads: {} as Uploads, signer }).then((each) =>
      served.push(each),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const body = Buffer.alloc(300_000, 1);
  const headers = { "content-length": String(body.length) };
  const url = signer.sign(origin, { method: "PUT", objectKey: "a", expiresAtMs: 1, headers });
  const answer = await fetch(url, { method: "PUT", headers, body });
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("ENOSPC (no space)")]);
  expect(served).toMatchObject([{ method: "PUT", objectKey: "a", status: 503 }]);
  server.close();
});
