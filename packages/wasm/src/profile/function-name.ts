/**
 * The name of a function for people. Names that rustc has mangled in its older way (`_ZN`) are shown as paths, without
 * the hash at their end; all others stay as they are.
 */
export function functionName(name: string): string {
  const path = rustPath(name);
  return path === undefined ? name : path.map(unescapeRust).join("::");
}

/** The parts of `_ZN4core3fmt5write17h0123456789abcdefE`, without the hash; `undefined` for other names. */
function rustPath(name: string): readonly string[] | undefined {
  const body = /^_?_ZN(.+)E(?:\.llvm\.[0-9A-F]+)?$/.exec(name)?.[1];
  if (body === undefined) return undefined;
  const parts: string[] = [];
  for (let at = 0; at < body.length;) {
    const digits = /^\d{1,4}/.exec(body.slice(at, at + 4))?.[0];
    if (digits === undefined) return undefined;
    const from = at + digits.length;
    at = from + Number(digits);
    if (at > body.length) return undefined;
    parts.push(body.slice(from, at));
  }
  const last = parts.at(-1) ?? "";
  // C++ has the same form without a hash, and other escapes.
  return parts.length > 1 && /^h[0-9a-f]{16}$/.test(last) ? parts.slice(0, -1) : undefined;
}

const ESCAPES: Readonly<Record<string, string>> = {
  SP: "@",
  BP: "*",
  RF: "&",
  LT: "<",
  GT: ">",
  LP: "(",
  RP: ")",
  C: ",",
};

function unescapeRust(part: string): string {
  const plain = part.startsWith("_$") ? part.slice(1) : part;
  return plain
    .replaceAll("..", "::")
    .replaceAll(/\$(?:u([0-9a-f]{2,6})|([A-Z]{1,2}))\$/g, (all, hex, code) => {
      if (typeof hex !== "string") return ESCAPES[String(code)] ?? all;
      const point = Number.parseInt(hex, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : all;
    });
}
