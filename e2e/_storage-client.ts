// A WCP that brokers storage and does little else: every URL it gives leads through a proxy.
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { ObjectStore } from "@subnet-worker/object-store";
import {
  type Completion,
  type Envelope,
  envelope,
  Execution,
  type MultipartRequest,
  type UploadRequest,
} from "@subnet-worker/protocol";

type Assignment = NonNullable<Parameters<typeof envelope<"assign">>[1]>;

interface Input {
  readonly name: string;
  readonly objectKey: string;
  readonly ref: string;
  readonly expiresUnix: bigint;
}

export interface StorageClientOptions {
  /** Of the WEP. */
  readonly url: string;
  readonly store: ObjectStore;
  /** What a URL is given out as. */
  readonly via: (url: string) => string;
}

/** Disposal breaks the stream off. */
export class StorageClient implements AsyncDisposable {
  /** How many URLs were asked for, of each kind. */
  readonly asked = { upload: 0, download: 0, part: 0 };
  readonly #options: StorageClientOptions;
  readonly #abort = new AbortController();
  readonly #outgoing: Envelope[] = [];
  readonly #waiting = new Map<string, PromiseWithResolvers<Completion>>();
  readonly #ended: Promise<unknown>;
  #wake = Promise.withResolvers<void>();
  #runs = 0;

  constructor(options: StorageClientOptions) {
    this.#options = options;
    this.#ended = this.#listen().catch((error: unknown) => {
      for (const { reject } of this.#waiting.values()) reject(error);
    });
    this.#send(envelope("hello", { min: "1.0.0", max: "1.1.0", nodeId: "node-1", brokersStorage: true }));
  }

  /** Runs something; its prefix is `runs/KIND-N/`. */
  run(assignment: Assignment): Promise<Completion> {
    this.#runs += 1;
    const activityId = `activity-${this.#runs}`;
    const done = Promise.withResolvers<Completion>();
    this.#waiting.set(activityId, done);
    const own = { activityId, runId: "r", taskVersion: "1.0.0", uploadPrefix: `runs/${activityId}/` };
    this.#send(envelope("assign", { ...own, ...assignment }));
    return done.promise;
  }

  /** An object as an input of an assignment. */
  async input(name: string, objectKey: string): Promise<Input> {
    const { url, expiresAtMs } = await this.#options.store.downloadTicket(objectKey);
    const expiresUnix = BigInt(Math.floor(expiresAtMs / 1_000));
    return { name, objectKey, ref: this.#options.via(url), expiresUnix };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    this.#wake.resolve();
    await this.#ended;
  }

  #send(message: Envelope): void {
    this.#outgoing.push(message);
    this.#wake.resolve();
  }

  async *#requests(): AsyncGenerator<Envelope> {
    while (!this.#abort.signal.aborted) {
      yield* this.#outgoing.splice(0);
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }

  async #listen(): Promise<void> {
    const client = createClient(Execution, createGrpcTransport({ baseUrl: this.#options.url }));
    const { signal } = this.#abort;
    for await (const { msg } of client.taskStream(this.#requests(), { signal })) {
      const messages = msg.case === "batch" ? msg.value.envelopes.map((each) => each.msg) : [msg];
      for (const message of messages) this.#take(message);
    }
  }

  #take(msg: Envelope["msg"]): void {
    switch (msg.case) {
      case "ping":
        return this.#send(envelope("pong", { nonce: msg.value.nonce }));
      case "completion": {
        const { activityId, runId } = msg.value;
        this.#send(envelope("completionAck", { activityId, runId }));
        return this.#waiting.get(activityId)?.resolve(msg.value);
      }
      case "uploadRequest":
        return this.#answer(this.#upload(msg.value));
      case "downloadRequest":
        return this.#answer(this.#download(msg.value));
      case "multipartRequest":
        return this.#answer(this.#step(msg.value));
      default:
        return undefined;
    }
  }

  #answer(grant: Promise<Envelope>): void {
    grant.then(
      (message) => this.#send(message),
      // A broken store fails the test by name instead of by a timeout.
      (error: unknown) => this.#abort.abort(error),
    );
  }

  async #upload({ activityId, requestId, name, ...wish }: UploadRequest): Promise<Envelope> {
    this.asked.upload += 1;
    const ticket = await this.#options.store.uploadTicket(`runs/${activityId}/${name}`, {
      ...wish,
      sizeBytes: Number(wish.sizeBytes),
    });
    return envelope("uploadGrant", { requestId, ...this.#wire(ticket) });
  }

  async #download({ requestId, objectKey }: { requestId: bigint; objectKey: string }): Promise<Envelope> {
    this.asked.download += 1;
    const ticket = await this.#options.store.downloadTicket(objectKey);
    return envelope("downloadGrant", { requestId, ...this.#wire({ ...ticket, objectKey, headers: {} }) });
  }

  async #step({ activityId, requestId, name, step }: MultipartRequest): Promise<Envelope> {
    const { store } = this.#options;
    const objectKey = `runs/${activityId}/${name}`;
    const grant = { requestId, objectKey };
    switch (step.case) {
      case "create": {
        const uploadId = await store.createMultipart(objectKey, step.value);
        return envelope("multipartGrant", { ...grant, uploadId });
      }
      case "part": {
        this.asked.part += 1;
        const { uploadId, partNumber, sizeBytes, md5 } = step.value;
        const part = { partNumber, md5, sizeBytes: Number(sizeBytes) };
        const ticket = await store.partTicket(objectKey, uploadId, part);
        return envelope("multipartGrant", { ...grant, ...this.#wire(ticket) });
      }
      case "complete":
        await store.completeMultipart(objectKey, step.value.uploadId, step.value.parts);
        return envelope("multipartGrant", grant);
      case "abort":
        await store.abortMultipart(objectKey, step.value.uploadId);
        return envelope("multipartGrant", grant);
      default:
        throw new Error("a step of no kind");
    }
  }

  #wire(ticket: {
    readonly objectKey: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly expiresAtMs: number;
  }) {
    const { objectKey, url, headers, expiresAtMs } = ticket;
    const expiresUnix = BigInt(Math.floor(expiresAtMs / 1_000));
    return { objectKey, url: this.#options.via(url), headers: { ...headers }, expiresUnix };
  }
}
