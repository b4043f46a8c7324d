/** Width and height of a glyph in pixels, before scaling. */
export const GLYPH_WIDTH = 5;
export const GLYPH_HEIGHT = 7;

/** The characters of a time label. One string per row; `#` is ink. */
const GLYPHS: Readonly<Record<string, readonly string[]>> = {
  "0": [" ### ", "#   #", "#  ##", "# # #", "##  #", "#   #", " ### "],
  "1": ["  #  ", " ##  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### "],
  "2": [" ### ", "#   #", "    #", "  ## ", " #   ", "#    ", "#####"],
  "3": [" ### ", "#   #", "    #", "  ## ", "    #", "#   #", " ### "],
  "4": ["   # ", "  ## ", " # # ", "#  # ", "#####", "   # ", "   # "],
  "5": ["#####", "#    ", "#### ", "    #", "    #", "#   #", " ### "],
  "6": [" ### ", "#    ", "#    ", "#### ", "#   #", "#   #", " ### "],
  "7": ["#####", "    #", "   # ", "  #  ", "  #  ", " #   ", " #   "],
  "8": [" ### ", "#   #", "#   #", " ### ", "#   #", "#   #", " ### "],
  "9": [" ### ", "#   #", "#   #", " ####", "    #", "    #", " ### "],
  ":": ["     ", "  #  ", "  #  ", "     ", "  #  ", "  #  ", "     "],
  ".": ["     ", "     ", "     ", "     ", "     ", " ##  ", " ##  "],
  s: ["     ", "     ", " ####", "#    ", " ### ", "    #", "#### "],
};

const BLANK_ROW = " ".repeat(GLYPH_WIDTH);

/** Calls `ink` for each pixel of a text, counted from its top left corner. Unknown characters stay blank. */
export function drawText(text: string, ink: (x: number, y: number) => void): void {
  for (let y = 0; y < GLYPH_HEIGHT; y++) {
    const row = Array.from(text, (character) => GLYPHS[character]?.[y] ?? BLANK_ROW).join(" ");
    for (let x = 0; x < row.length; x++) if (row[x] === "#") ink(x, y);
  }
}
