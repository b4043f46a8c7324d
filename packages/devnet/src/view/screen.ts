import { stripVTControlCharacters } from "node:util";
import type { WriteStream } from "node:tty";

/** Where a command writes for people: lines, and one block at the end that is redrawn in place. */
export interface Screen {
  /** How wide a table may be. */
  readonly columns: number;
  /** Whether {@link Screen.live} shows anything. */
  readonly isLive: boolean;
  /** Writes lines that stay. */
  line(...lines: readonly string[]): void;
  /** Replaces the block below everything written so far; does nothing where lines cannot be taken back. */
  live(lines: readonly string[]): void;
  /** Leaves the block as it is and starts below it. */
  settle(): void;
  /** Emphasis where the terminal has it. */
  style(kind: "good" | "bad" | "bold" | "dim", text: string): string;
}

const PLAIN_COLUMNS = 120;
const CODES = { good: 32, bad: 31, bold: 1, dim: 2 } as const;

/** A screen on a stream. Control codes are used only when it is a terminal that has them. */
export function createScreen(
  stream: Pick<WriteStream, "write"> & { readonly isTTY?: boolean; readonly columns?: number },
  env: NodeJS.ProcessEnv = process.env,
): Screen {
  const isLive = stream.isTTY === true && env["TERM"] !== "dumb";
  const hasColour = isLive && (env["NO_COLOR"] ?? "") === "";
  let block: readonly string[] = [];

  // A terminal that does not know its size says 0.
  const terminalColumns = ({ columns: known = 0 } = stream) => (known === 0 ? 80 : Math.max(40, known));
  const columns = () => (isLive ? terminalColumns() : PLAIN_COLUMNS);
  const erase = () => (block.length === 0 ? "" : `\x1b[${block.length}A\x1b[J`);
  // A line that wraps would take two rows, and the next erase would miss one.
  const draw = () => block.map((line) => `${truncated(line, columns() - 1)}\n`).join("");

  return {
    get columns() {
      return columns();
    },
    isLive,
    line(...lines) {
      stream.write(`${erase()}${lines.map((line) => `${line}\n`).join("")}${draw()}`);
    },
    live(lines) {
      if (!isLive) return;
      const before = erase();
      block = lines;
      stream.write(`${before}${draw()}`);
    },
    settle() {
      block = [];
    },
    style: (kind, text) => (hasColour ? `\x1b[${CODES[kind]}m${text}\x1b[0m` : text),
  };
}

function truncated(line: string, width: number): string {
  const visible = stripVTControlCharacters(line);
  return visible.length <= width ? line : `${visible.slice(0, width - 1)}…`;
}
