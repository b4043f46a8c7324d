import { expect, it } from "vitest";
import type { OutgoingResponse } from "../src/engine.ts";
import { GuestHost, type Result } from "../src/component/guest-host.ts";
import { Fields } from "../src/component/wasi/http-fields.ts";
import { OutgoingBody, OutgoingRequest } from "../src/component/wasi/http-request.ts";
import { httpInterfaces } from "../src/component/wasi/http.ts";
import { createTestHost } from "./_host.ts";

const MIB = 1024 * 1024;

/** What a component does with the glue between: requests of one run, whose responses have a body of that size. */
function requests(bodyBytes: number) {
  const response: OutgoingResponse = { status: 200, headers: [], body: new Uint8Array(bodyBytes) };
  const host = createTestHost({ maySend: true });
  const guest = new GuestHost({ ...host, send: () => ({ response }) });
  const interfaces = httpInterfaces(guest);
  const { handle } = interfaces["wasi:http/outgoing-handler"] as {
    readonly handle: (request: OutgoingRequest, options: undefined) => Result<Future, unknown>;
  };
  return {
    request: (): OutgoingRequest => {
      const request = new OutgoingRequest(guest, new Fields(guest));
      request.setAuthority("api.example.org");
      return request;
    },
    send: (request: OutgoingRequest) => value(handle(request, undefined)),
  };
}

interface Future extends Disposable {
  get(): Result<Result<Response, unknown>, unknown>;
}

interface Response extends Disposable {
  consume(): Result<Body, unknown>;
}

interface Body extends Disposable {
  stream(): Result<Disposable, unknown>;
}

function value<T>(result: Result<T, unknown>): T {
  if (result.tag === "err") throw new Error(`it failed: ${JSON.stringify(result.val)}`);
  return result.val;
}

const TOO_MANY = /trap/;

it("responses that are got and never read count as held", () => {
  const { request, send } = requests(8 * MIB);
  const held: unknown[] = [];
  const getMany = () => {
    for (let left = 20; left > 0; left -= 1) held.push(value(value(send(request()).get())));
  };
  expect(getMany).toThrow(TOO_MANY);
  expect(held.length).toBe(8);
});

it("streams count as held though their body and response are dropped", () => {
  const { request, send } = requests(8 * MIB);
  const streams: unknown[] = [];
  const streamMany = () => {
    for (let left = 20; left > 0; left -= 1) {
      using future = send(request());
      using response = value(value(future.get()));
      using body = value(response.consume());
      streams.push(value(body.stream()));
    }
  };
  // Each drop after the end throws it again.
  expect(streamMany).toThrow();
});

it("what is dropped is not held any longer, however many requests there were", () => {
  const { request, send } = requests(8 * 1024);
  for (let left = 12_000; left > 0; left -= 1) {
    using future = send(request());
    using response = value(value(future.get()));
    using body = value(response.consume());
    using _stream = value(body.stream());
  }
});

it("bodies of requests are held until they are sent, and not after", () => {
  const { request, send } = requests(0);
  for (let left = 100; left > 0; left -= 1) {
    const sent = request();
    const body = value(sent.body());
    using stream = value(body.write());
    value(stream.write(new Uint8Array(MIB)));
    OutgoingBody.finish(body, undefined);
    using future = send(sent);
    using _response = value(value(future.get()));
  }
});
