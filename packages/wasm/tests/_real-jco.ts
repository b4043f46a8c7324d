/** Makes jco parse, print and transpile a component, and prints what came out: two large programs in Rust. */
import { createHash } from "node:crypto";
import { parse, print, transpile } from "@bytecodealliance/jco";

const TEXT = `(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 16)
    (func (export "shout") (param i32 i32) (result i32) i32.const 8))
  (core instance $i (instantiate $m))
  (func (export "shout") (param "text" string) (result string)
    (canon lift (core func $i "shout") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))`;

const component = await parse(TEXT);
const { files } = (await transpile(component, { name: "shout" })) as {
  readonly files: Readonly<Record<string, Uint8Array>>;
};
const hash = createHash("sha256").update(component);
for (const [name, bytes] of Object.entries(files)) hash.update(name).update(bytes);
process.stdout.write(
  JSON.stringify({
    names: Object.keys(files),
    printed: await print(component),
    sha256: hash.digest("hex"),
  }),
);
