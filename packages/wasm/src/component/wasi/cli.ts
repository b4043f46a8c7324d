import { type GuestHost, type Result, withoutInherited } from "../guest-host.ts";
import { InputStream, OutputStream } from "./io.ts";

/** A terminal; there is none, so a component never gets one. */
class Terminal {
  readonly $kind = "none";
}
withoutInherited(Terminal);

/** The interfaces of `wasi:cli`. A component of the world `handler` has no stdout: what it prints goes to stderr. */
export function cliInterfaces(guest: GuestHost): Readonly<Record<string, object>> {
  const { run } = guest;
  const isCommand = run.abi === "cli";
  const stdin = isCommand ? run.input : new Uint8Array();
  // In the order of its names, so that a run is the same wherever its request comes from.
  const environment = Object.entries(run.env).sort(([a], [b]) => (a < b ? -1 : 1));
  const noTerminal = () => {
    guest.enter();
    return undefined;
  };
  const stderr = (bytes: Uint8Array) => guest.ask((host) => (host.writeStderr(bytes), true));
  const stdout = (bytes: Uint8Array) => guest.ask((host) => (host.writeOutput(bytes), true));
  const stream = <T>(make: () => T) => {
    guest.enter();
    return make();
  };
  return {
    "wasi:cli/environment": {
      getEnvironment: () => stream(() => environment),
      getArguments: () => stream(() => ["program", ...run.args]),
      initialCwd: noTerminal,
    },
    "wasi:cli/exit": {
      exit: (status: Result<void, void>) => exit(guest, status.tag === "ok" ? 0 : 1),
      exitWithCode: (code: number) => exit(guest, code),
    },
    "wasi:cli/stdin": { getStdin: () => stream(() => new InputStream(guest, stdin)) },
    "wasi:cli/stdout": {
      getStdout: () => stream(() => new OutputStream(guest, isCommand ? stdout : stderr)),
    },
    "wasi:cli/stderr": { getStderr: () => stream(() => new OutputStream(guest, stderr)) },
    "wasi:cli/terminal-input": { TerminalInput: Terminal },
    "wasi:cli/terminal-output": { TerminalOutput: Terminal },
    "wasi:cli/terminal-stdin": { getTerminalStdin: noTerminal },
    "wasi:cli/terminal-stdout": { getTerminalStdout: noTerminal },
    "wasi:cli/terminal-stderr": { getTerminalStderr: noTerminal },
  };
}

function exit(guest: GuestHost, code: number): never {
  guest.enter();
  guest.expect(Number.isInteger(code) && code >= 0 && code <= 255, "a number of 8 bits was expected");
  return guest.ask((host) => {
    const output = host.output();
    if (guest.run.abi === "cli" && code === 0) host.stop({ kind: "completed", output });
    const said = new TextDecoder().decode(host.stderr());
    const message =
      guest.run.abi === "cli" ? said : `it ended itself with ${code}, and gave no result; ${said}`;
    return host.stop({ kind: "guest_error", code, message, output });
  });
}
