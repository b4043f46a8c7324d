import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { array, assert, integer, nat, property, tuple } from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { capMemory } from "../src/component/cap-memory.ts";
import { outlineComponent } from "../src/component/component-sections.ts";
import { prepareComponent, type PreparedComponent } from "../src/component/prepare-component.ts";
import { WasmError } from "../src/errors.ts";
import { DEFAULT_MODULE_LIMITS } from "../src/limits.ts";
import { meterModule } from "../src/meter/meter-module.ts";
import { Wasm } from "../src/web-assembly.ts";
import { componentOfText, leb, withCore } from "./_components.ts";
import { fromText } from "./_programs.ts";

function prepare(bytes: Uint8Array): Promise<PreparedComponent> {
  const limits = DEFAULT_MODULE_LIMITS;
  return prepareComponent(bytes, {
    meter: (core) => meterModule(core, { counters: "imported", placement: "fast", mayCatch: false, limits }),
  });
}

async function refusal(bytes: Uint8Array): Promise<WasmError> {
  const error = await prepare(bytes).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WasmError)) throw new Error(`no WasmError: ${String(error)}`);
  expect(error.message.startsWith(`[WASM_${error.code}] `)).toBe(true);
  return error;
}

/** A component whose function `run` gives a number, and whose core module and its export have a name to choose. */
function named(name: string, imported = ""): string {
  const quoted = Array.from(
    new TextEncoder().encode(name),
    (byte) => `\\${byte.toString(16).padStart(2, "0")}`,
  ).join("");
  return `(component
    (core module $other (func (export "${imported}")))
    (core module $m (import "${imported}" "${imported}" (func))
      (func (export "${quoted}") (result i32) i32.const 1))
    (core instance $o (instantiate $other))
    (core instance $i (instantiate $m (with "${imported}" (instance $o))))
    (func (export "run") (result u32) (canon lift (core func $i "${quoted}"))))`;
}

const PLAIN = named("r", "m");

describe("what a component says of itself", () => {
  it("is read: imports, exports, core modules and glue", async () => {
    const prepared = await prepare(await componentOfText(PLAIN));
    expect(prepared.imports).toEqual([]);
    expect(prepared.exports).toEqual(["run"]);
    expect(prepared.abi).toBeUndefined();
    expect(prepared.modules.size).toBe(2);
    expect(prepared.glue).toContain("instantiate");
  });

  it("is read of instances, functions, types and resources as imports", async () => {
    const component = await componentOfText(`(component
      (import "wasi:io/error@0.2.3" (instance (export "error" (type (sub resource)))))
      (import "a" (func (param "x" u32)))
      (import "t" (type (sub resource)))
      (import "u" (type (eq 0)))
      (type $v u8) (export "v" (type $v)))`);
    const { imports, exports } = outlineComponent(component);
    expect(imports).toEqual([
      { name: "wasi:io/error@0.2.3", kind: "instance" },
      { name: "a", kind: "function" },
      { name: "t", kind: "type" },
      { name: "u", kind: "type" },
    ]);
    expect(exports).toEqual([{ name: "v", kind: "type" }]);
  });

  it("loses its custom sections, at the top and inside, and nothing else", async () => {
    const inner = await componentOfText("(component)");
    const custom = Buffer.concat([Buffer.from([0]), leb(6), leb(4), Buffer.from("evil!")]);
    const nested = Buffer.concat([inner, custom]);
    const outer = Buffer.concat([inner, Buffer.from([4]), leb(nested.length), nested, custom]);
    expect(Buffer.from(outlineComponent(outer).bare)).toEqual(
      Buffer.concat([inner, Buffer.from([4]), leb(inner.length), inner]),
    );
    const whole = await componentOfText(PLAIN);
    expect(outlineComponent(outlineComponent(whole).bare).bare).toEqual(outlineComponent(whole).bare);
  });
});

describe("names that would be code", () => {
  const PWNED = "globalThis.pwned=true";
  const names = [
    `r'];${PWNED};['`,
    `r"];${PWNED};["`,
    `r\\`,
    `r\`\${${PWNED}}\``,
    `r\n${PWNED}\n`,
    `r\u2028${PWNED}`,
    `r*/${PWNED}/*`,
    "__proto__",
    "r\0",
    "<!--r",
    "ключ",
  ];
  for (const name of names) {
    it(`are refused as exports of core modules: ${JSON.stringify(name)}`, async () => {
      const error = await refusal(await componentOfText(named(name, "m")));
      expect([error.code, error.message.includes("for an import or export of a core module")]).toEqual([
        "UNSUPPORTED",
        true,
      ]);
    });
  }

  it("are refused as imports of core modules", async () => {
    expect((await refusal(await componentOfText(named("r", "m'+evil+'")))).code).toBe("UNSUPPORTED");
  });

  it("would be code: jco writes them as they are", async () => {
    // Were this to fail, jco escapes names by now, and there is one wall more.
    const { transpile } = await import("../src/component/transpile.ts");
    const { glue } = await transpile(await componentOfText(named(`r'];${PWNED};['`, "m")));
    expect(glue).toContain(`exports1['r'];${PWNED};['']`);
  });

  it("in names of free form do not reach jco", async () => {
    const name = `url=<https://x');${PWNED}//>`;
    const entry = Buffer.concat([
      Buffer.from([1, 0]),
      leb(name.length),
      Buffer.from(name),
      Buffer.from([1, 0]),
    ]);
    const type = Buffer.from([7, 5, 1, 0x40, 0, 1, 0]);
    const header = (await componentOfText("(component)")).subarray(0, 8);
    const error = await refusal(Buffer.concat([header, type, Buffer.from([10]), leb(entry.length), entry]));
    expect([error.code, error.details["what"]]).toEqual([
      "UNSUPPORTED",
      "names of the forms url=<...>, integrity=<...> and the like",
    ]);
  });

  it("in the names of a text, which are for debugging, do not show in the glue", async () => {
    const component = await componentOfText(`(component
      (core module $"m'evil" (func $"f'evil" (export "r") (result i32) i32.const 1))
      (core instance $"i'evil" (instantiate $"m'evil"))
      (func $"x'evil" (export "run") (result u32) (canon lift (core func $"i'evil" "r"))))`);
    expect(Buffer.from(component).includes("'evil")).toBe(true);
    expect((await prepare(component)).glue).not.toContain("'evil");
  });

  it("of words that JavaScript reserves are renamed by jco", async () => {
    const words = [
      "class",
      "eval",
      "arguments",
      "imports",
      "get-core-module",
      "instantiate-core",
      "constructor",
    ];
    const lifts = words.map(
      (word) => `(func (export "${word}") (result u32) (canon lift (core func $i "r")))`,
    );
    const prepared = await prepare(
      await componentOfText(`(component
        (core module $m (func (export "r") (result i32) i32.const 1))
        (core instance $i (instantiate $m)) ${lifts.join("\n")})`),
    );
    expect(() => new Script(prepared.glue)).not.toThrow();
  });
});

describe("imports that there are not", () => {
  const imports: readonly (readonly [what: string, text: string])[] = [
    ['the import "wasi:cli/stdin@0.3.0"', '(import "wasi:cli/stdin@0.3.0" (instance))'],
    ['the import "wasi:cli/stdin@0.2.0-rc.1"', '(import "wasi:cli/stdin@0.2.0-rc.1" (instance))'],
    ['the import "wasi:cli/stdin"', '(import "wasi:cli/stdin" (instance))'],
    ['the import "wasi:cli/other@0.2.0"', '(import "wasi:cli/other@0.2.0" (instance))'],
    ['the import "wasi:nn/tensor@0.2.0"', '(import "wasi:nn/tensor@0.2.0" (instance))'],
    [
      'the import "wasi:http/incoming-handler@0.2.0"',
      '(import "wasi:http/incoming-handler@0.2.0" (instance))',
    ],
    ['the import "subnet:worker/host@0.2.0"', '(import "subnet:worker/host@0.2.0" (instance))'],
    ['the import "jco:node/fs@0.1.0"', '(import "jco:node/fs@0.1.0" (instance))'],
    ['the import of the function "f"', '(import "f" (func))'],
    ['the import of the core module "m"', '(import "m" (core module))'],
    ['the import of the component "c"', '(import "c" (component))'],
  ];
  for (const [what, text] of imports) {
    it(`are refused by name: ${what}`, async () => {
      const error = await refusal(await componentOfText(`(component ${text})`));
      expect([error.code, error.details["what"]]).toEqual(["UNSUPPORTED", what]);
    });
  }
});

describe("exceptions", () => {
  const CATCHING =
    '(module (func (export "r") (result i32) (try (result i32) (do i32.const 1) (catch_all i32.const 2))))';
  const PLACE = `(component (core module $m (func (export "r") (result i32) i32.const 1))
    (core instance $i (instantiate $m)) (func (export "run") (result u32) (canon lift (core func $i "r"))))`;

  it("of the older kind are not of the component model, so that no component can catch", async () => {
    const component = withCore(await componentOfText(PLACE), fromText(CATCHING));
    expect((await refusal(component)).code).toBe("BAD_MODULE");
    // The place itself is right.
    await prepare(
      withCore(
        await componentOfText(PLACE),
        fromText('(module (func (export "r") (result i32) i32.const 2))'),
      ),
    );
  });

  it("of the newer kind are not metered", async () => {
    const error = await refusal(
      await componentOfText(`(component
        (core module $m (func (export "r") (result i32) (block $a (try_table (catch_all $a))) i32.const 1))
        (core instance $i (instantiate $m)) (func (export "run") (result u32) (canon lift (core func $i "r"))))`),
    );
    expect(error.code).toBe("UNSUPPORTED");
  });
});

describe("hostile bytes", () => {
  it("that make jco panic are refused, and the next component is read", async () => {
    const panics = `(component (import "wasi:io/poll@0.2.0" (instance $i (export "m" (core module (export "r" (func (result i32)))))))
      (alias export $i "m" (core module $m)) (core instance $c (instantiate $m))
      (func (export "run") (result u32) (canon lift (core func $c "r"))))`;
    const bytes = await componentOfText(panics);
    expect((await refusal(bytes)).code).toBe("BAD_MODULE");
    expect((await prepare(await componentOfText(PLAIN))).exports).toEqual(["run"]);
  });

  it("never throw anything but an error of this package, from the outline", async () => {
    const whole = await componentOfText(PLAIN);
    const drawn = array(tuple(nat(whole.length - 1), integer({ min: 0, max: 255 })), {
      maxLength: 6,
    });
    assert(
      property(drawn, nat(whole.length), (changes, length) => {
        const bytes = Uint8Array.from(whole.subarray(0, length));
        for (const [at, byte] of changes) bytes[at % Math.max(1, bytes.length)] = byte;
        try {
          outlineComponent(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WasmError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("are BAD_MODULE or UNSUPPORTED, whichever byte is wrong", async () => {
    const whole = await componentOfText(PLAIN);
    for (let at = 8; at < whole.length; at += 29) {
      const bytes = Uint8Array.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x5a;
      const error = await prepare(bytes).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) expect(["BAD_MODULE", "UNSUPPORTED"]).toContain((error as WasmError).code);
    }
  });

  it("that nest components in each other without end are refused", async () => {
    let bytes: Uint8Array = await componentOfText("(component)");
    const header = bytes.subarray(0, 8);
    for (let depth = 0; depth < 40; depth += 1)
      bytes = Buffer.concat([header, Buffer.from([4]), leb(bytes.length), bytes]);
    expect((await refusal(bytes)).code).toBe("UNSUPPORTED");
  });

  /** Functions of a type that doubles with each line. */
  function doubling(lines: number, functions: number): string {
    const types = Array.from({ length: lines }, (_, at) => `(type $t${at + 1} (tuple $t${at} $t${at}))`).join(
      "\n",
    );
    const each = (text: (at: number) => string) =>
      Array.from({ length: functions }, (_, at) => text(at)).join("\n");
    return `(component (type $t0 (tuple string string)) ${types}
      (import "wasi:cli/environment@0.2.0" (instance $e (alias outer 1 $t${lines} (type $x))
        ${each((at) => `(export "f${at}" (func (param "x" $x)))`)}))
      (core module $mem (memory (export "m") 1)
        (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0))
      (core instance $mem (instantiate $mem))
      ${each(
        (at) => `(core func $f${at} (canon lower (func $e "f${at}") (memory (core memory $mem "m"))
        (realloc (core func $mem "r"))))`,
      )}
      (core module $m ${each((at) => `(import "e" "f${at}" (func (param i32)))`)})
      (core instance (instantiate $m (with "e" (instance ${each((at) => `(export "f${at}" (func $f${at}))`)})))))`;
  }

  it("whose types make too much JavaScript are refused", async () => {
    const error = await refusal(await componentOfText(doubling(14, 2)));
    expect([error.code, Number(error.details["actual"]) > 16 * 1024 * 1024]).toEqual([
      "MODULE_TOO_LARGE",
      true,
    ]);
    await prepare(await componentOfText(doubling(4, 2)));
  });

  it("whose types add up to more than their decoder takes are refused at once", async () => {
    const error = await refusal(await componentOfText(doubling(16, 40)));
    expect([error.code, error.message.includes("type size")]).toEqual(["BAD_MODULE", true]);
  });

  it("without code are no program", async () => {
    expect((await refusal(await componentOfText("(component)"))).code).toBe("BAD_MODULE");
  });
});

it("the memory that jco gets ends where it is told, and is whole until there", () => {
  const module = fromText('(module (memory (export "m") 2) (func (export "f") (result i32) i32.const 7))');
  const exportsOf = (bytes: Uint8Array) =>
    new Wasm.Instance(new Wasm.Module(bytes)).exports as unknown as {
      readonly m: { grow(pages: number): number; readonly buffer: ArrayBuffer };
      readonly f: () => number;
    };
  const { m, f } = exportsOf(capMemory(module, 300));
  expect([f(), m.grow(298), m.buffer.byteLength]).toEqual([7, 2, 300 * 65_536]);
  expect(() => m.grow(1)).toThrow();
  expect(exportsOf(module).m.grow(299)).toBe(2);
  const without = fromText("(module (func))");
  expect(capMemory(without, 300)).toBe(without);
});

it("without jco, a component is refused with what installs it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "without-jco-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cpSync(join(import.meta.dirname, "../src"), folder, { recursive: true });
  const bytes = Array.from(await componentOfText(PLAIN));
  const script = `
    const { prepareComponent } = await import(${JSON.stringify(join(folder, "component/prepare-component.ts"))});
    await prepareComponent(Uint8Array.from(${JSON.stringify(bytes)}), {}).catch((error) => console.log(error.message));`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(said).toMatch(/^\[WASM_NOT_INSTALLED\] .*npm install @bytecodealliance\/jco/);
});
