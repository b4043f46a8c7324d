import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** Empty for a GET. */
  readonly body: Buffer;
}

export interface ObjectServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: SeenRequest[];
}

export type Reply = (response: ServerResponse, request: SeenRequest) => void;

/** An HTTP server that answers its n-th request with the n-th reply, then with the last again. */
export async function serveObjects(...replies: readonly Reply[]): Promise<ObjectServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    void (async () => {
      const { method = "", url = "", headers } = incoming;
      const request = {
        method,
        url,
        headers,
        body: method === "GET" ? Buffer.alloc(0) : await buffer(incoming),
      };
      requests.push(request);
      const reply = replies[Math.min(requests.length, replies.length) - 1]!;
      reply(response, request);
    })();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => void server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Serves `content`, and ranges of it. */
export function object(content: Uint8Array, etag = '"v1"'): Reply {
  return (response, { headers }) => {
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const part = content.subarray(from);
    const range = { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` };
    response.writeHead(from > 0 ? 206 : 200, {
      etag,
      "content-length": part.length,
      ...(from > 0 ? range : {}),
    });
    response.end(part);
  };
}

/** Sends the head of a whole object and its first bytes, then resets the connection. */
export function resetAfter(content: Uint8Array, sentBytes: number): Reply {
  return (response, { headers }) => {
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const rest = content.subarray(from);
    const range = { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` };
    response.writeHead(from > 0 ? 206 : 200, {
      etag: '"v1"',
      "content-length": rest.length,
      ...(from > 0 ? range : {}),
    });
    response.write(rest.subarray(0, sentBytes), () => response.destroy());
  };
}

/** Sends the first bytes, then nothing for ever. */
export function stallAfter(content: Uint8Array, sentBytes: number): Reply {
  return (response) => {
    response.writeHead(200, { etag: '"v1"', "content-length": content.length });
    response.write(content.subarray(0, sentBytes));
  };
}

export function status(code: number, body = "", headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(code, headers);
    response.end(body);
  };
}
