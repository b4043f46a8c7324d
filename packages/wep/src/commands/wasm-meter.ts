import { EXIT, StartupError } from "@subnet-worker/kit";
import { DEFAULT_MODULE_LIMITS, meterModule, type MeterOptions } from "@subnet-worker/wasm";
import { type Invocation, misuse, textOption } from "./command.ts";
import { argumentAt } from "./spec-file.ts";
import { readBytes, withFile, writeBytes } from "./wasm-file.ts";

const PLACEMENTS: readonly MeterOptions["placement"][] = ["fast", "plain", "every"];

/**
 * `wep wasm meter`: writes a core module as it runs.
 *
 * @throws {StartupError} exit code 1 for what is not metered, 78 for files that cannot be read or written
 */
export async function wasmMeter(invocation: Invocation): Promise<number> {
  const { io, args } = invocation;
  const path = argumentAt(args, 0);
  const out = textOption(invocation, "out") ?? `${path.replace(/\.wasm$/, "")}.metered.wasm`;
  const placement = placementOf(textOption(invocation, "placement") ?? "fast");
  const bytes = readBytes(io, path);
  if (isComponent(bytes)) {
    throw new StartupError(
      EXIT.fault,
      `[WASM_COMPONENT] ${path} is a component, whose modules are metered one by one as it is prepared; give a core module`,
    );
  }
  const options: MeterOptions = { counters: "own", placement, limits: DEFAULT_MODULE_LIMITS };
  const metered = await withFile(path, () => meterModule(bytes, options));
  writeBytes(io, out, metered.bytes);
  const growth = ((metered.bytes.length / bytes.length - 1) * 100).toFixed(0);
  io.out(`${out}: ${metered.bytes.length} bytes, ${growth} % more than ${path}\n`);
  return EXIT.ok;
}

/** Both forms begin with `\0asm`, and differ in the layer, at byte 6. */
function isComponent(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[6] === 1;
}

function placementOf(text: string): MeterOptions["placement"] {
  const found = PLACEMENTS.find((placement) => placement === text);
  if (found === undefined) throw misuse(`--placement: there is no ${text}; use ${PLACEMENTS.join(", ")}`);
  return found;
}
