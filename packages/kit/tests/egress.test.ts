import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { TestAuthority } from "../../testkit/src/certificates.ts";
import { createEgress, type EgressDeps, EgressError, type EgressRequest } from "../src/egress/index.ts";
import { checkAddresses, type EgressPolicy, parsePolicy } from "../src/egress/policy.ts";
import { FakeClock } from "../src/fake-clock.ts";

const LOCAL = ["127.0.0.0/8"];

async function listening(server: TcpServer, host = "127.0.0.1", port = 0) {
  server.listen(port, host);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function serve(listener: RequestListener, host?: string, port?: number) {
  return listening(createServer(listener), host, port);
}

function egressTo(port: number, policy: Partial<EgressPolicy> = {}, deps: EgressDeps = {}) {
  return createEgress(
    { policy: { hosts: ["*"], ports: [port], schemes: ["http"], networks: LOCAL, ...policy } },
    { resolve: () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]), ...deps },
  );
}

function get(url: string, changes: Partial<EgressRequest> = {}): EgressRequest {
  return { method: "GET", url, headers: [], body: new Uint8Array(), ...changes };
}

async function codeOf(sending: Promise<unknown>): Promise<string> {
  const error = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EgressError)) throw new Error(`no EgressError: ${String(error)}`);
  expect(error.message.startsWith(`[EGRESS_${error.code}] `)).toBe(true);
  return error.code;
}

function header(response: { readonly headers: readonly (readonly [string, string])[] }, name: string) {
  return response.headers.find(([other]) => other.toLowerCase() === name)?.[1];
}

test("a request reaches its server with method, headers and body, and the response comes back", async () => {
  const port = await serve((request, response) => {
    void text(request).then((body) => {
      const mine = String(request.headers["x-mine"]);
      response.writeHead(201, { "x-seen": `${request.method} ${request.url} ${mine}` });
      return response.end(`${request.headers.host} ${body}`);
    });
  });
  const response = await egressTo(port).send(
    get(`http://api.example.org:${port}/a?b=c`, {
      method: "post",
      headers: [
        ["x-mine", "1"],
        ["host", "evil.example"],
        ["content-length", "99"],
        ["connection", "upgrade"],
      ],
      body: Buffer.from("hello"),
    }),
  );
  expect(response.status).toBe(201);
  expect(header(response, "x-seen")).toBe("POST /a?b=c 1");
  expect(Buffer.from(response.body).toString()).toBe(`api.example.org:${port} hello`);
});

describe("what is refused, before anything is sent", () => {
  const policy: EgressPolicy = { hosts: ["api.example.org", "*.example.com", "9.9.9.9"] };
  const outside = () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
  const cases: readonly (readonly [code: string, url: string, changes?: Partial<EgressRequest>])[] = [
    ["HOST_REFUSED", "https://example.org/"],
    ["HOST_REFUSED", "https://example.com/"],
    ["HOST_REFUSED", "https://evilexample.com/"],
    ["HOST_REFUSED", "https://api.example.org.evil.net/"],
    ["HOST_REFUSED", "https://127.0.0.1/"],
    ["HOST_REFUSED", "https://9.9.9.10/"],
    ["HOST_REFUSED", "https://[::1]/"],
    ["SCHEME_REFUSED", "http://api.example.org/"],
    ["SCHEME_REFUSED", "file:///etc/passwd"],
    ["SCHEME_REFUSED", "ftp://api.example.org/"],
    ["PORT_REFUSED", "https://api.example.org:22/"],
    ["METHOD_REFUSED", "https://api.example.org/", { method: "CONNECT" }],
    ["METHOD_REFUSED", "https://api.example.org/", { method: "TRACE" }],
    ["METHOD_REFUSED", "https://api.example.org/", { method: "GET / HTTP/1.1\r\nx: y" }],
    ["BAD_REQUEST", "api.example.org"],
    ["BAD_REQUEST", "https://me:secret@api.example.org/"],
    [
      "REQUEST_TOO_LARGE",
      "https://api.example.org/",
      { method: "POST", body: new Uint8Array(1024 * 1024 + 1) },
    ],
    ["ADDRESS_REFUSED", "https://api.example.org/"],
    ["ADDRESS_REFUSED", "https://API.example.org./"],
    ["ADDRESS_REFUSED", "https://a.b.example.com/"],
  ];
  for (const [code, url, changes] of cases) {
    test(`${code}: ${changes?.method ?? "GET"} ${url}`, async () => {
      const egress = createEgress({ policy }, { resolve: outside });
      expect(await codeOf(egress.send(get(url, changes)))).toBe(code);
    });
  }
});

describe("addresses", () => {
  const written = [
    "http://127.0.0.1",
    "http://127.1",
    "http://2130706433",
    "http://0x7f.1",
    "http://0177.0.0.1",
  ];
  for (const url of [
    ...written,
    "http://[::1]",
    "http://[::ffff:127.0.0.1]",
    "http://0.0.0.0",
    "http://localhost",
  ]) {
    test(`${url} is this machine, however it is written`, async () => {
      const port = await serve((_request, response) => response.end("secret"));
      const egress = createEgress({ policy: { hosts: ["*"], ports: [port], schemes: ["http"] } });
      expect(await codeOf(egress.send(get(`${url}:${port}/`)))).toBe("ADDRESS_REFUSED");
    });
  }

  test("a name with one address inside is refused, whatever its others are", async () => {
    const resolve = () =>
      Promise.resolve([
        { address: "1.1.1.1", family: 4 },
        { address: "10.0.0.1", family: 4 },
      ]);
    const egress = createEgress({ policy: { hosts: ["*"] } }, { resolve });
    expect(await codeOf(egress.send(get("https://both.example.org/")))).toBe("ADDRESS_REFUSED");
  });

  test("a cloud's metadata is not granted by a network around it, only by itself", () => {
    const check = (networks: readonly string[]) => () =>
      checkAddresses(parsePolicy({ hosts: ["*"], networks }), new URL("http://meta.example.org/"), [
        "169.254.169.254",
      ]);
    expect(check(["169.254.0.0/16", "0.0.0.0/0"])).toThrow(/^\[EGRESS_ADDRESS_REFUSED\] .* metadata/);
    expect(check(["169.254.169.254"])).not.toThrow();
  });

  test("the connection goes to the address that was checked, though the name leads elsewhere by then", async () => {
    const port = await serve((_request, response) => response.end("checked"));
    await serve((_request, response) => response.end("elsewhere"), "127.0.0.2", port);
    const answers = ["127.0.0.1", "127.0.0.2"];
    let asked = 0;
    const resolve = () => {
      asked += 1;
      return Promise.resolve([{ address: answers[asked - 1] ?? "127.0.0.2", family: 4 }]);
    };
    const egress = egressTo(port, {}, { resolve });
    const response = await egress.send(get(`http://rebind.example.org:${port}/`));
    expect(Buffer.from(response.body).toString()).toBe("checked");
    expect(asked).toBe(1);
  });

  test("a name that turns inside between two requests is refused at the second", async () => {
    const port = await serve((_request, response) => response.end("open"));
    const answers = ["127.0.0.1", "127.0.0.2"];
    const resolve = () => Promise.resolve([{ address: answers.shift() ?? "", family: 4 }]);
    const egress = egressTo(port, { networks: ["127.0.0.1"] }, { resolve });
    expect((await egress.send(get(`http://rebind.example.org:${port}/`))).status).toBe(200);
    expect(await codeOf(egress.send(get(`http://rebind.example.org:${port}/`)))).toBe("ADDRESS_REFUSED");
  });
});

describe("redirects", () => {
  test("are followed within the policy, and GET what a POST was answered with 303", async () => {
    const seen: string[] = [];
    const port = await serve((request, response) => {
      seen.push(
        `${request.method} ${request.url} ${request.headers.authorization} ${request.headers["content-type"]}`,
      );
      if (request.url === "/a") response.writeHead(303, { location: "/b" }).end();
      else response.end("there");
    });
    const response = await egressTo(port).send(
      get(`http://a.example.org:${port}/a`, {
        method: "POST",
        headers: [
          ["authorization", "secret"],
          ["content-type", "text/plain"],
        ],
        body: Buffer.from("x"),
      }),
    );
    expect(Buffer.from(response.body).toString()).toBe("there");
    expect(seen).toEqual(["POST /a secret text/plain", "GET /b secret undefined"]);
  });

  test("to another host leave credentials behind", async () => {
    const seen: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      seen.push(request.headers.authorization, request.headers.cookie);
      if (request.url === "/a") response.writeHead(307, { location: `http://b.example.org:${port}/b` }).end();
      else response.end();
    });
    const headers = [
      ["Authorization", "secret"],
      ["Cookie", "a=b"],
    ] as const;
    await egressTo(port).send(get(`http://a.example.org:${port}/a`, { headers }));
    expect(seen).toEqual(["secret", "a=b", undefined, undefined]);
  });

  const places: readonly (readonly [code: string, location: string, policy?: Partial<EgressPolicy>])[] = [
    ["HOST_REFUSED", "http://b.example.org/"],
    ["PORT_REFUSED", "http://a.example.org:22/"],
    ["SCHEME_REFUSED", "https://a.example.org/"],
    ["ADDRESS_REFUSED", "http://[::1]:PORT/", { hosts: ["a.example.org", "::1"] }],
    ["ADDRESS_REFUSED", "http://169.254.169.254:PORT/", { hosts: ["*"] }],
    ["TOO_MANY_REDIRECTS", "/again"],
  ];
  for (const [code, location, policy] of places) {
    test(`${code}: to ${location}`, async () => {
      const port: number = await serve((_request, response) =>
        response.writeHead(302, { location: location.replace("PORT", String(port)) }).end(),
      );
      const egress = egressTo(port, { hosts: ["a.example.org"], ...policy });
      expect(await codeOf(egress.send(get(`http://a.example.org:${port}/`)))).toBe(code);
    });
  }

  test("are followed as often as the policy says, and not once more", async () => {
    let requests = 0;
    const port = await serve((_request, response) => {
      requests += 1;
      response.writeHead(302, { location: "/again" }).end();
    });
    const sending = egressTo(port, { maxRedirects: 2 }).send(get(`http://a.example.org:${port}/`));
    expect(await codeOf(sending)).toBe("TOO_MANY_REDIRECTS");
    expect(requests).toBe(3);
  });

  test("are the response where none are followed", async () => {
    const port = await serve((_request, response) => response.writeHead(302, { location: "/b" }).end());
    const response = await egressTo(port, { maxRedirects: 0 }).send(get(`http://a.example.org:${port}/`));
    expect([response.status, header(response, "location")]).toEqual([302, "/b"]);
  });
});

describe("limits", () => {
  test("a response that is too large is cut off", async () => {
    const port = await serve((_request, response) => response.end(Buffer.alloc(1025)));
    const egress = egressTo(port, { responseBytes: 1024 });
    expect(await codeOf(egress.send(get(`http://a.example.org:${port}/`)))).toBe("RESPONSE_TOO_LARGE");
    const exact = egressTo(port, { responseBytes: 1025 });
    expect((await exact.send(get(`http://a.example.org:${port}/`))).body.length).toBe(1025);
  });

  test("headers that are too large are, too", async () => {
    const port = await serve((_request, response) =>
      response.writeHead(200, { "x-long": "y".repeat(10_000) }).end(),
    );
    const egress = egressTo(port, { headerBytes: 4096 });
    expect(await codeOf(egress.send(get(`http://a.example.org:${port}/`)))).toBe("RESPONSE_TOO_LARGE");
  });

  test("a server that does not answer, and one that does not end, are given up at the time", async () => {
    for (const isHeadSent of [false, true]) {
      const clock = new FakeClock();
      const asked = Promise.withResolvers<void>();
      const port = await serve((_request, response) => {
        if (isHeadSent) response.write("and then");
        asked.resolve();
      });
      const sending = egressTo(port, { timeMs: 1_000 }, { clock }).send(get(`http://a.example.org:${port}/`));
      const code = codeOf(sending);
      await asked.promise;
      await clock.advance(1_000);
      expect(await code).toBe("TIMED_OUT");
    }
  });

  test("a resolver that does not answer is given up, too", async () => {
    const clock = new FakeClock();
    const egress = egressTo(80, { timeMs: 1_000 }, { clock, resolve: () => new Promise(() => undefined) });
    const code = codeOf(egress.send(get("http://a.example.org/")));
    await clock.advance(1_000);
    expect(await code).toBe("TIMED_OUT");
  });

  test("a signal cancels", async () => {
    const asked = Promise.withResolvers<void>();
    const port = await serve(() => asked.resolve());
    const controller = new AbortController();
    const code = codeOf(egressTo(port).send(get(`http://a.example.org:${port}/`), controller.signal));
    await asked.promise;
    controller.abort();
    expect(await code).toBe("CANCELLED");
    expect(await codeOf(egressTo(port).send(get(`http://a.example.org:${port}/`), controller.signal))).toBe(
      "CANCELLED",
    );
  });
});

describe("what comes back wrong", () => {
  test("a name that is not known, a port where nobody listens, a server that hangs up or speaks no HTTP", async () => {
    const unknown = egressTo(80, {}, { resolve: () => Promise.reject(new Error("ENOTFOUND")) });
    expect(await codeOf(unknown.send(get("http://a.example.org/")))).toBe("NAME_NOT_FOUND");
    const nobody = egressTo(80, {}, { resolve: () => Promise.resolve([]) });
    expect(await codeOf(nobody.send(get("http://a.example.org/")))).toBe("NAME_NOT_FOUND");
    // No program is ever given this port.
    expect(await codeOf(egressTo(1).send(get("http://a.example.org:1/")))).toBe("CONNECT_FAILED");
    const hangUp = await serve((request) => request.socket.destroy());
    expect(await codeOf(egressTo(hangUp).send(get(`http://a.example.org:${hangUp}/`)))).toBe("BAD_RESPONSE");
    const other = await listening(createTcpServer((socket) => socket.end("220 smtp ready\r\n")));
    expect(await codeOf(egressTo(other).send(get(`http://a.example.org:${other}/`)))).toBe("BAD_RESPONSE");
  });

  test("headers with line breaks in them are never sent", async () => {
    let requests = 0;
    const port = await serve((_request, response) => {
      requests += 1;
      response.end();
    });
    const sending = egressTo(port).send(
      get(`http://a.example.org:${port}/`, { headers: [["x", "a\r\nb: c"]] }),
    );
    expect(await codeOf(sending)).toBe("BAD_REQUEST");
    expect(requests).toBe(0);
  });
});

test("HTTPS: the certificate is that of the name, signed by a known authority", async () => {
  const authority = await TestAuthority.create();
  const { cert, key } = await authority.issue({ names: ["api.example.org"] });
  const port = await listening(
    createTlsServer({ cert, key }, (_request, response) => response.end("private")),
  );
  const policy = { schemes: ["https"] } as const;
  const trusting = egressTo(port, policy, { certificateAuthorities: [authority.cert] });
  const response = await trusting.send(get(`https://api.example.org:${port}/`));
  expect(Buffer.from(response.body).toString()).toBe("private");
  expect(await codeOf(trusting.send(get(`https://other.example.org:${port}/`)))).toBe("CONNECT_FAILED");
  expect(await codeOf(egressTo(port, policy).send(get(`https://api.example.org:${port}/`)))).toBe(
    "CONNECT_FAILED",
  );
});

test("a policy that makes no sense is refused when it is read", () => {
  const policies: readonly Partial<EgressPolicy>[] = [
    { hosts: ["https://api.example.org"] },
    { hosts: ["*.*"] },
    { hosts: ["a..b"] },
    { networks: ["10.0.0.0/40"] },
    { ports: [70_000] },
    { methods: ["connect"] },
    { timeMs: 1.5 },
    { maxRedirects: -1 },
  ];
  for (const policy of policies) {
    expect(() => createEgress({ policy: { hosts: [], ...policy } })).toThrow(/^\[EGRESS_BAD_REQUEST\] /);
  }
});

describe("bodies that come strangely", () => {
  /** Says `sent` to whoever connects, and keeps the connection open. */
  async function saying(sent: string) {
    return listening(
      createTcpServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => socket.write(sent));
        onTestFinished(() => void socket.destroy());
      }),
    );
  }

  test("byte by byte: it is the same body, counts the same, and other work has its turn", async () => {
    const sent = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(50_000)}0\r\n\r\n`;
    const port = await saying(sent);
    let turns = 0;
    let isOver = false;
    const countTurns = () => {
      turns += 1;
      if (!isOver) setImmediate(countTurns);
    };
    setImmediate(countTurns);
    const { body } = await egressTo(port).send(get(`http://api.example.org:${port}/`));
    isOver = true;
    expect(Buffer.from(body).toString()).toBe("x".repeat(50_000));
    // One after each 1,024 chunks.
    expect(turns).toBeGreaterThan(48);
    const small = egressTo(port, { responseBytes: 49_999 });
    expect(await codeOf(small.send(get(`http://api.example.org:${port}/`)))).toBe("RESPONSE_TOO_LARGE");
  });

  test("on a connection that stays open: it is whole when it is", async () => {
    const port = await saying("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    const { body } = await egressTo(port).send(get(`http://api.example.org:${port}/`));
    expect(Buffer.from(body).toString()).toBe("hello");
  });
});
