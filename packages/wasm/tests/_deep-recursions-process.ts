// Says how each of the deep recursions ends, on this process's tier of V8: run with --liftoff-only or --no-liftoff.
import { createEngine } from "../src/create-engine.ts";
import { DEEP_RECURSIONS } from "./_deep-recursions.ts";

await using engine = createEngine({ threads: 1, limits: { fuel: 10n ** 15n } });
const ends: Record<string, string> = {};
for (const { name, bytes } of DEEP_RECURSIONS) {
  const outcome = await engine.run(await engine.prepare(bytes()), { limits: { timeMs: 55_000 } });
  ends[name] = `${outcome.kind} after ${outcome.fuel}`;
}
process.stdout.write(JSON.stringify(ends));
