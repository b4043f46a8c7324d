import { BlockList, isIP } from "node:net";

/** What an address is to programs that are not trusted. Only `public` ones are reached without a grant. */
export type AddressKind =
  | "public"
  | "unspecified"
  | "loopback"
  | "private"
  | "shared"
  | "link_local"
  | "multicast"
  | "metadata"
  | "reserved";

type Range = readonly [network: string, prefixBits: number];

/** Where clouds tell a machine its credentials. Some are within ranges below, one is a public address. */
const METADATA: readonly Range[] = [
  ["169.254.169.254", 32],
  ["169.254.169.253", 32],
  ["169.254.169.123", 32],
  ["169.254.170.2", 32],
  ["169.254.170.23", 32],
  ["100.100.100.200", 32],
  ["168.63.129.16", 32],
  ["192.0.0.192", 32],
  ["fd00:ec2::254", 128],
  ["fd00:ec2::23", 128],
  ["fd20:ce::254", 128],
];

/** The registries of special addresses of IANA, RFC 6890 and its successors. The first that fits counts. */
const SPECIAL: readonly (readonly [AddressKind, readonly Range[]])[] = [
  ["metadata", METADATA],
  [
    "unspecified",
    [
      ["0.0.0.0", 8],
      ["::", 128],
    ],
  ],
  [
    "loopback",
    [
      ["127.0.0.0", 8],
      ["::1", 128],
    ],
  ],
  [
    "private",
    [
      ["10.0.0.0", 8],
      ["172.16.0.0", 12],
      ["192.168.0.0", 16],
      ["fc00::", 7],
      ["fec0::", 10],
    ],
  ],
  ["shared", [["100.64.0.0", 10]]],
  [
    "link_local",
    [
      ["169.254.0.0", 16],
      ["fe80::", 10],
    ],
  ],
  [
    "multicast",
    [
      ["224.0.0.0", 4],
      ["ff00::", 8],
    ],
  ],
  [
    "reserved",
    [
      ["192.0.0.0", 24],
      ["192.0.2.0", 24],
      ["192.31.196.0", 24],
      ["192.52.193.0", 24],
      ["192.88.99.0", 24],
      ["192.175.48.0", 24],
      ["198.18.0.0", 15],
      ["198.51.100.0", 24],
      ["203.0.113.0", 24],
      ["240.0.0.0", 4],
      // Teredo and 6to4 lead to addresses of IPv4 that a relay chooses.
      ["2001::", 23],
      ["2001:db8::", 32],
      ["2002::", 16],
      ["2620:4f:8000::", 48],
      ["3fff::", 20],
    ],
  ],
];

const LISTS = SPECIAL.map(([kind, ranges]) => ({ kind, list: listOf(ranges) }));

/** Only these addresses of IPv6 are given out to anybody. */
const GLOBAL_V6 = listOf([["2000::", 3]]);

/** Where an address of IPv4 is the last four bytes: mapped, and of NAT64. */
const EMBEDDED = listOf([
  ["::ffff:0:0", 96],
  ["64:ff9b::", 96],
]);

/**
 * What kind of address it is. One of IPv4 that is mapped into IPv6, or translated by NAT64, is what that of IPv4 is.
 *
 * @throws {TypeError} for what is no address
 * @example
 *   if (addressKind("169.254.169.254") === "metadata") refuse();
 */
export function addressKind(address: string): AddressKind {
  const plain = embeddedV4(address) ?? address;
  const family = familyOf(plain);
  const special = LISTS.find(({ list }) => list.check(plain, family));
  if (special !== undefined) return special.kind;
  return family === "ipv4" || GLOBAL_V6.check(plain, family) ? "public" : "reserved";
}

/** A network, such as `10.0.0.0/8`; an address by itself is one of a single address. */
export interface Network {
  readonly address: string;
  readonly prefixBits: number;
  readonly isSingle: boolean;
  /** Whether an address is in it; one of IPv4 that is mapped into IPv6 counts as that of IPv4. */
  includes(address: string): boolean;
}

/**
 * Reads a network; `undefined` for what is none.
 *
 * @example
 *   parseNetwork("10.0.0.0/8")?.includes("10.1.2.3"); // true
 */
export function parseNetwork(text: string): Network | undefined {
  const [, address = "", bits] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return undefined;
  const widest = version === 4 ? 32 : 128;
  const prefixBits = bits === undefined ? widest : Number(bits);
  if (prefixBits > widest) return undefined;
  const list = listOf([[address, prefixBits]]);
  return {
    address,
    prefixBits,
    isSingle: prefixBits === widest,
    includes: (other) => {
      const plain = embeddedV4(other) ?? other;
      return list.check(plain, familyOf(plain));
    },
  };
}

function listOf(ranges: readonly Range[]): BlockList {
  const list = new BlockList();
  for (const [network, prefixBits] of ranges) list.addSubnet(network, prefixBits, familyOf(network));
  return list;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  const version = isIP(address);
  if (version === 0)
    throw new TypeError(`[EGRESS_BAD_REQUEST] ${JSON.stringify(address)} is no address; give one of IP`);
  return version === 4 ? "ipv4" : "ipv6";
}

/** The address of IPv4 in one of IPv6; `undefined` where there is none. */
function embeddedV4(address: string): string | undefined {
  if (isIP(address) !== 6 || !EMBEDDED.check(address, "ipv6")) return undefined;
  // The URL's parser writes any address of IPv6 in one form: groups of hexadecimal digits, the last two ours.
  const groups = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1).split(":");
  const [high = "0", low = "0"] = groups.slice(-2).map((group) => (group === "" ? "0" : group));
  const bytes = [Number.parseInt(high, 16), Number.parseInt(low, 16)].flatMap((word) => [
    word >> 8,
    word & 0xff,
  ]);
  return bytes.join(".");
}
