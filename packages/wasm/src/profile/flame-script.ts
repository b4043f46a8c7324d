/** Runs in the SVG of a flame graph: a click on a frame gives it the whole width, and its callers with it. */
export const FLAME_SCRIPT: string = `
(() => {
  const margin = 10, inner = 1180, character = 6.7;
  const frames = [...document.querySelectorAll("g.f")].map((g) => ({
    g,
    rect: g.querySelector("rect"),
    text: g.querySelector("text"),
    left: Number(g.dataset.l),
    width: Number(g.dataset.w),
    depth: Number(g.dataset.d),
  }));
  const show = (to) => {
    for (const { g, rect, text, left, width, depth } of frames) {
      const isCaller = depth <= to.depth && left <= to.left + 1e-9 && left + width >= to.left + to.width - 1e-9;
      const isInside = depth > to.depth && left >= to.left - 1e-9 && left + width <= to.left + to.width + 1e-9;
      g.style.display = isCaller || isInside ? "" : "none";
      const x = isCaller ? margin : margin + ((left - to.left) / to.width) * inner;
      const w = isCaller ? inner : (width / to.width) * inner;
      rect.setAttribute("x", x);
      rect.setAttribute("width", w);
      rect.setAttribute("opacity", depth < to.depth ? 0.5 : 1);
      text.setAttribute("x", x + 4);
      const name = text.dataset.n, room = Math.floor((w - 8) / character);
      text.textContent = room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 2) + "..";
    }
  };
  for (const frame of frames) frame.g.addEventListener("click", () => show(frame));
})();
`;
