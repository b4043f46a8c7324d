import { expect, test } from "vitest";
import { type AddressKind, addressKind, parseNetwork } from "./address.ts";

const KINDS: readonly (readonly [AddressKind, readonly string[]])[] = [
  [
    "public",
    ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"],
  ],
  [
    "public",
    ["128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255"],
  ],
  ["public", ["192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15"]],
  ["public", ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00::1", "2001:200::1", "2003::1"]],
  ["public", ["::ffff:8.8.8.8", "::ffff:808:808", "64:ff9b::8.8.8.8", "64:ff9b::808:808"]],
  ["unspecified", ["0.0.0.0", "0.255.255.255", "::"]],
  [
    "loopback",
    ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1"],
  ],
  [
    "private",
    ["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
  ],
  ["private", ["fc00::1", "fdff:ffff::1", "fec0::1", "::ffff:10.1.2.3", "64:ff9b::a01:203", "::ffff:c0a8:0"]],
  ["shared", ["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"]],
  ["link_local", ["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1", "::ffff:169.254.1.1"]],
  ["multicast", ["224.0.0.1", "239.255.255.255", "ff02::1", "::ffff:224.0.0.1"]],
  ["metadata", ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"]],
  [
    "metadata",
    ["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::169.254.169.254", "0:0:0:0:0:ffff:a9fe:a9fe"],
  ],
  ["reserved", ["192.0.0.1", "192.0.2.1", "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7"]],
  ["reserved", ["192.88.99.1", "240.0.0.1", "255.255.255.255"]],
  ["reserved", ["2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:1ff::1", "3fff::1"]],
  ["reserved", ["::2", "::127.0.0.1", "100::1", "64:ff9b:1::1", "4000::1", "5f00::1", "::fffe:127.0.0.1"]],
];

for (const [kind, addresses] of KINDS) {
  test(`${kind}: ${addresses.join(", ")}`, () => {
    for (const address of addresses) expect([address, addressKind(address)]).toEqual([address, kind]);
  });
}

test("what is no address is no kind of one", () => {
  for (const text of ["", "localhost", "127.1", "1.2.3", "0x7f.0.0.1", "::1/128"]) {
    expect(() => addressKind(text)).toThrow(TypeError);
  }
});

test("a network includes its addresses, mapped ones too, and no others", () => {
  const network = parseNetwork("10.1.0.0/16");
  expect(network?.isSingle).toBe(false);
  expect(network?.includes("10.1.255.255")).toBe(true);
  expect(network?.includes("::ffff:10.1.0.1")).toBe(true);
  expect(network?.includes("10.2.0.0")).toBe(false);
  expect(parseNetwork("fd00::/8")?.includes("fd12::1")).toBe(true);
  expect(parseNetwork("fd00::/8")?.includes("10.1.0.1")).toBe(false);
  expect(parseNetwork("127.0.0.1")?.isSingle).toBe(true);
});

test("what is no network is none", () => {
  for (const text of [
    "",
    "10.0.0.0/33",
    "fd00::/129",
    "10.0.0/8",
    "example.org",
    "10.0.0.0/8/8",
    "10.0.0.0/-1",
  ]) {
    expect(parseNetwork(text)).toBeUndefined();
  }
});
