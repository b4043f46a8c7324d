import type { OutgoingResponse as HostResponse } from "../../engine.ts";
import { err, type GuestHost, ok, Resource, type Result } from "../guest-host.ts";
import { type Fields, fieldsClass } from "./http-fields.ts";
import {
  type ErrorCode,
  OutgoingBody,
  OutgoingRequest,
  type RequestHead,
  RequestOptions,
} from "./http-request.ts";
import { InputStream, Pollable } from "./io.ts";
import { NeverGiven } from "./nothing.ts";

type FieldsClass = ReturnType<typeof fieldsClass>;

/** `wasi:http/types.future-trailers`: there never are any. */
class FutureTrailers extends Resource {
  subscribe(): Pollable {
    this.$guest.enter();
    return new Pollable(this.$guest, { kind: "ready" });
  }

  get(): Result<Result<Fields | undefined, ErrorCode>, void> {
    this.$guest.enter();
    return ok(ok(undefined));
  }
}

class IncomingBody extends Resource {
  #bytes: Uint8Array | undefined;

  constructor(guest: GuestHost, bytes: Uint8Array) {
    super(guest);
    this.#bytes = bytes;
    this.$hold(bytes.length);
  }

  stream(): Result<InputStream, void> {
    this.$guest.enter();
    if (this.#bytes === undefined) return err(undefined);
    this.$hold(-this.#bytes.length);
    const stream = new InputStream(this.$guest, this.#bytes).$holding();
    this.#bytes = undefined;
    return ok(stream);
  }

  static finish(body: IncomingBody): FutureTrailers {
    body.$guest.enter();
    body.$release();
    return new FutureTrailers(body.$guest);
  }
}

class IncomingResponse extends Resource {
  readonly #head: Pick<HostResponse, "status" | "headers">;
  readonly #Fields: FieldsClass;
  #body: Uint8Array | undefined;

  constructor(guest: GuestHost, response: HostResponse, RunFields: FieldsClass) {
    super(guest);
    const { status, headers, body } = response;
    this.#head = { status, headers };
    this.#body = body;
    this.#Fields = RunFields;
    this.$hold(body.length + headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0));
  }

  status(): number {
    this.$guest.enter();
    return this.#head.status;
  }

  headers(): Fields {
    this.$guest.enter();
    const fields = new this.#Fields();
    fields.$fill(
      this.#head.headers.map(([name, value]) => [name, Uint8Array.from(Buffer.from(value, "latin1"))]),
    );
    return fields.$freeze();
  }

  consume(): Result<IncomingBody, void> {
    this.$guest.enter();
    const body = this.#body;
    if (body === undefined) return err(undefined);
    this.#body = undefined;
    this.$hold(-body.length);
    return ok(new IncomingBody(this.$guest, body));
  }
}

/** What `future-incoming-response.get` gives: nothing yet, or once the response, and from then on that it was given. */
type Got = Result<Result<IncomingResponse, ErrorCode>, void> | undefined;

class FutureIncomingResponse extends Resource {
  readonly #head: RequestHead;
  readonly #Fields: FieldsClass;
  #isTaken = false;

  constructor(guest: GuestHost, head: RequestHead, RunFields: FieldsClass) {
    super(guest);
    this.#head = head;
    this.#Fields = RunFields;
  }

  subscribe(): Pollable {
    this.$guest.enter();
    return new Pollable(this.$guest, { kind: "when", isReady: () => this.#isComplete() });
  }

  get(): Got {
    this.$guest.enter();
    if (!this.#isComplete()) return undefined;
    if (this.#isTaken) return err(undefined);
    this.#isTaken = true;
    if (this.#head.body?.$state === "dropped") return ok(err({ tag: "HTTP-protocol-error" }));
    return ok(this.#send());
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#head.discard();
  }

  /** Whether the request is written: it is sent whole, when the component wants the answer. */
  #isComplete(): boolean {
    return this.#head.body?.$state !== "open";
  }

  #send(): Result<IncomingResponse, ErrorCode> {
    const { method, url, headers, body } = this.#head;
    const bytes = body?.$bytes() ?? new Uint8Array();
    this.#head.discard();
    const answer = this.$guest.ask((host) => host.send({ method, url, headers, body: bytes }));
    if ("error" in answer) return err({ tag: "internal-error", val: answer.error });
    this.$guest.ask((host) => host.charge(answer.response.body.length));
    return ok(new IncomingResponse(this.$guest, answer.response, this.#Fields));
  }
}

/** `wasi:http/types` and `wasi:http/outgoing-handler`, over whatever sends for the run. */
export function httpInterfaces(guest: GuestHost): Readonly<Record<string, object>> {
  const RunFields = fieldsClass(guest);
  const own = <Arguments extends readonly unknown[]>(
    Class: new (guest: GuestHost, ...rest: Arguments) => object,
  ) =>
    class extends Class {
      constructor(...rest: Arguments) {
        super(guest, ...rest);
      }
    };
  return {
    "wasi:http/types": {
      Fields: RunFields,
      FutureIncomingResponse,
      FutureTrailers,
      IncomingBody,
      IncomingRequest: NeverGiven,
      IncomingResponse,
      OutgoingBody,
      OutgoingRequest: own(OutgoingRequest),
      OutgoingResponse: own(ServerResponse),
      RequestOptions: own(RequestOptions),
      ResponseOutparam: NeverGiven,
      httpErrorCode: () => {
        guest.enter();
        return undefined;
      },
    },
    "wasi:http/outgoing-handler": {
      handle: (request: OutgoingRequest, options: RequestOptions | undefined) => {
        guest.enter();
        request.$release();
        options?.$release();
        const head = request.$head();
        if (head.tag === "ok") return ok(new FutureIncomingResponse(guest, head.val, RunFields));
        request.$discard();
        return head;
      },
    },
  };
}

/** `wasi:http/types.outgoing-response`, which a component can make though it has nobody to give it to. */
class ServerResponse extends Resource {
  constructor(guest: GuestHost) {
    super(guest);
    guest.trap("it makes a response of HTTP, and serves nobody");
  }
}
