import { type MeterModule, RESERVED_PREFIX } from "../src/meter/meter.ts";
import { Bytes } from "./_generate-bytes.ts";

/** As broken as a meter can be: whatever it is given becomes a module that spins. */
export const meterModule: MeterModule = () => {
  const section = (id: number, content: Bytes): Bytes => new Bytes().raw(id).sized(content);
  const counters = ["fuel", "stack", "pages", "elements", "fault"];
  const globals = new Bytes();
  globals.vector(counters, (name) =>
    name === "fuel" ? globals.raw(0x7e, 1, 0x42, 0, 0x0b) : globals.raw(0x7f, 1, 0x41, 0, 0x0b),
  );
  const exports = new Bytes()
    .u32(counters.length + 1)
    .name("spin")
    .raw(0, 0);
  for (const [index, name] of counters.entries()) {
    exports.name(`${RESERVED_PREFIX}${name}`).raw(3, index);
  }
  const spin = new Bytes().raw(0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b);
  const module = new Bytes()
    .raw(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
    .append(section(1, new Bytes().raw(1, 0x60, 0, 0)))
    .append(section(3, new Bytes().raw(1, 0)))
    .append(section(6, globals))
    .append(section(7, exports))
    .append(section(10, new Bytes().u32(1).sized(spin)));
  const bytes = Uint8Array.from(module.list);
  return {
    bytes,
    start: undefined,
    facts: {
      imports: [],
      exports: [{ name: "spin", type: { kind: "function", params: [], results: [] } }],
      functionCount: 1,
      memoryCount: 0,
      memoryMinPages: 0,
      tableMinElements: 0,
      hasStart: false,
      functionNames: [],
      bytes: bytes.length,
      meteredBytes: bytes.length,
    },
  };
};
