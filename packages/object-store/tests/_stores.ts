import { mkdtempDisposable } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  listenObjectStore,
  type ObjectStore,
  type ObjectStoreOptions,
  type ServedRequest,
} from "../src/index.ts";

/** A store in a folder of its own, and what it told of requests. */
export interface TestStore extends AsyncDisposable {
  readonly store: ObjectStore;
  readonly directory: string;
  /** What is around the folder: nothing may appear here. */
  readonly outside: string;
  readonly served: ServedRequest[];
  /** Another store of the same folder. */
  again(options?: Partial<ObjectStoreOptions>): Promise<ObjectStore>;
}

export async function openStore(options: Partial<ObjectStoreOptions> = {}): Promise<TestStore> {
  await using stack = new AsyncDisposableStack();
  const outside = stack.use(await mkdtempDisposable(join(tmpdir(), "object-store-"))).path;
  const directory = join(outside, "objects");
  const served: ServedRequest[] = [];
  const open = async (changes: Partial<ObjectStoreOptions>) =>
    stack.use(await listenObjectStore({ directory, onRequest: (each) => served.push(each), ...changes }));
  const store = await open(options);
  const owned = stack.move();
  return {
    store,
    directory,
    outside,
    served,
    again: async (changes = {}) => {
      const other = await listenObjectStore({ directory, ...changes });
      owned.use(other);
      return other;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A request with the very path that is given: `fetch` would tidy it up first. */
export function rawRequest(
  origin: string,
  path: string,
  init: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const { method = "GET", headers = {}, body } = init;
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
