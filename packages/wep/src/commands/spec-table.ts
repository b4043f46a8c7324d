import type { CommandEntry } from "./command.ts";

const SIDE_AND_DATA = `ACTIVITY is an id, or a kind that only one activity has. The last argument may also be @FILE, or - (or
nothing) for standard input.`;

/** The commands about spec files, for the table in `cli.ts`. */
export const SPEC_COMMANDS: Readonly<Record<string, CommandEntry>> = {
  "spec check": {
    usage: "FILE...",
    summary: "say what is wrong with activity specs, with file, line and remedy",
    args: [1, Number.POSITIVE_INFINITY],
    more: `Exit code: 0 when there is nothing wrong, else 1.

Example: wep spec check specs/*.yaml`,
    load: async () => (await import("./spec-check.ts")).checkCommand,
  },
  "spec types": {
    usage: "FILE [--out FILE] [--check]",
    summary: "write the TypeScript types of a spec's activities, for defineHandler",
    args: [1, 1],
    options: {
      out: {
        value: "FILE",
        about: "what to write; default beside the spec, audio.activity.ts for audio.yaml",
      },
      check: { about: "write nothing; exit code 1 when the file is out of date" },
    },
    advice: "one spec at a time; the file to write goes after --out",
    more: `Examples: wep spec types specs/audio.yaml
          wep spec types specs/audio.yaml --out src/audio.activity.ts --check`,
    load: async () => (await import("./spec-types.ts")).typesCommand,
  },
  "spec encode": {
    usage: "FILE ACTIVITY inputs|outputs [JSON]",
    summary: "turn values into the ABI bytes that the chain has, as hex",
    args: [3, 4],
    advice: "the values are one argument: put them in quotes",
    more: `${SIDE_AND_DATA}

Example: wep spec encode audio.yaml audio_preprocess inputs '{"audio_object_key": "uploads/a.wav"}'`,
    load: async () => {
      const { encodeCommand } = await import("./spec-codec.ts");
      return (invocation) => encodeCommand(invocation);
    },
  },
  "spec decode": {
    usage: "FILE ACTIVITY inputs|outputs [HEX]",
    summary: "turn ABI bytes, as hex, into values",
    args: [3, 4],
    more: `${SIDE_AND_DATA}

Example: wep spec decode audio.yaml audio_preprocess outputs @result.hex`,
    load: async () => {
      const { decodeCommand } = await import("./spec-codec.ts");
      return (invocation) => decodeCommand(invocation);
    },
  },
};
