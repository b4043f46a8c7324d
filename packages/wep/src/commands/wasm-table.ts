import type { CommandEntry } from "./command.ts";

/** The commands about WebAssembly, for the table in `cli.ts`. */
export const WASM_COMMANDS: Readonly<Record<string, CommandEntry>> = {
  "wasm run": {
    usage: "FILE [options]",
    summary: "run a module or component as wasm.execute does, and say what it used",
    args: [1, 1],
    options: {
      input: {
        value: "TEXT|@FILE|-",
        about:
          "the input, or stdin of a command; - for standard input; default standard input where it is piped",
      },
      "input-type": {
        value: "TYPE",
        about:
          "media type of the input, for components of the world handler; default text/plain, and of a file by its name",
      },
      arg: { value: "TEXT", isMultiple: true, about: "an argument of a command" },
      env: { value: "NAME=VALUE", isMultiple: true, about: "a variable of a command's environment" },
      abi: { value: "ABI", about: "execute, command, cli or handler; default what the file looks like" },
      fuel: { value: "COUNT", about: "default 10000000000" },
      "memory-mb": { value: "COUNT", about: "default 128" },
      "stack-kb": { value: "COUNT", about: "default 1024" },
      time: { value: "DURATION", about: "like 500ms or 10s; default 60s" },
      "output-mb": { value: "COUNT", about: "default 16" },
      "host-calls": { value: "COUNT", about: "default 1000000" },
      seed: { value: "NUMBER", about: "where its randomness comes from; default 0" },
      "start-ms": { value: "NUMBER", about: "where its clocks begin, in milliseconds since 1970; default 0" },
      http: {
        value: "HOST[:PORT]",
        isMultiple: true,
        about:
          "a host that the program may send HTTP requests to; one of this machine or network by its address",
      },
      live: { about: "real clocks and real randomness" },
      profile: { value: "FILE.svg", about: "writes a flame graph of fuel by function" },
      json: { about: "one JSON document on standard output, in place of output and table" },
    },
    advice: "arguments of the program go after --arg",
    more: `What the program gives back goes to standard output; what it writes to stderr, then what it used, go to
standard error. Exit code: the program's own; 1 when it was stopped, or could not be run.

Examples: wep wasm run greet.wasm --input world
          wep wasm run sort.wasm --arg -r < lines.txt > sorted.txt
          wep wasm run parse.wasm --input @big.json --profile parse.svg --fuel 50000000`,
    load: async () => (await import("./wasm-run.ts")).wasmRun,
  },
  "wasm inspect": {
    usage: "FILE [--json]",
    summary: "show what a module or component imports and exports, and what would be refused",
    args: [1, 1],
    options: { json: { about: "one JSON document, in place of lines for people" } },
    more: `Exit code: 0 when a worker would run it, else 1.

Example: wep wasm inspect greet.wasm`,
    load: async () => (await import("./wasm-inspect.ts")).wasmInspect,
  },
  "wasm meter": {
    usage: "FILE [--out FILE]",
    summary: "write a module as it runs: with the code that counts its fuel",
    args: [1, 1],
    options: {
      out: { value: "FILE", about: "what to write; default beside it, greet.metered.wasm for greet.wasm" },
      placement: {
        value: "KIND",
        about:
          "fast (as it runs, the default), plain (a charge in each block) or every (one for each operator)",
      },
    },
    advice: "one module at a time; the file to write goes after --out",
    more: `For those who want to see what the meter does: workers meter modules themselves.

Example: wep wasm meter greet.wasm --out /tmp/greet.metered.wasm`,
    load: async () => (await import("./wasm-meter.ts")).wasmMeter,
  },
};
