import { describe, expect, it } from "vitest";
import { endpointProblem, wepProblems } from "./config-wep.ts";

const NO_TLS = { ca_file: "", cert_file: "", key_file: "", allow_plaintext: false };
const TLS = { ca_file: "/ca.crt", cert_file: "/wcp.crt", key_file: "/wcp.key", allow_plaintext: false };

describe("an endpoint", () => {
  it.each([
    ["http://127.0.0.1:7070", false, false, undefined],
    ["http://127.9.9.9:7070", false, false, undefined],
    ["http://[::1]:7070", false, false, undefined],
    ["http://localhost:7070", false, false, undefined],
    ["http://10.0.0.7:7070", false, false, /plain text to another host.*wep_tls\.allow_plaintext/],
    ["http://wep.internal:7070", true, false, /plain text to another host/],
    ["http://localhost.example:7070", false, false, /plain text to another host/],
    ["http://10.0.0.7:7070", false, true, undefined],
    ["https://wep.internal:7070", true, false, undefined],
    ["https://127.0.0.1:7070", false, true, /needs wep_tls\.ca_file/],
  ])("%s with tls %s and plain text allowed %s", (...[url, hasTls, allowPlaintext, problem]) => {
    const found = endpointProblem(url, { hasTls, allowPlaintext });
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(problem);
  });
});

describe("the settings of WEPs", () => {
  it("are fine for plain text on loopback and for mutual TLS", () => {
    expect(wepProblems({ wep_grpc_endpoint: ["http://127.0.0.1:7070"], wep_tls: NO_TLS })).toEqual([]);
    expect(wepProblems({ wep_grpc_endpoint: ["https://wep.test:7070"], wep_tls: TLS })).toEqual([]);
  });

  it("name every endpoint that may not be used", () => {
    const urls = ["http://10.0.0.1:7070", "http://127.0.0.1:7070", "https://10.0.0.2:7070"];
    expect(wepProblems({ wep_grpc_endpoint: urls, wep_tls: NO_TLS })).toEqual([
      expect.stringMatching(/^wep_grpc_endpoint: http:\/\/10\.0\.0\.1:7070 is plain text/),
      expect.stringMatching(/^wep_grpc_endpoint: https:\/\/10\.0\.0\.2:7070 needs wep_tls\.ca_file/),
    ]);
  });

  it("ask for what belongs together", () => {
    const wep_grpc_endpoint = ["https://wep.test:7070"];
    expect(wepProblems({ wep_grpc_endpoint, wep_tls: { ...TLS, key_file: "" } })).toEqual([
      expect.stringMatching(/cert_file and key_file belong together/),
    ]);
    expect(wepProblems({ wep_grpc_endpoint: [], wep_tls: { ...TLS, ca_file: "" } })).toEqual([
      expect.stringMatching(/wep_tls\.ca_file: name the authority/),
    ]);
  });
});
