/** What a windowed-sinc filter has to do. Frequencies are in cycles per input sample. */
export interface SincDesign {
  /** Middle of the transition from pass to stop; 0.5 is the Nyquist frequency. */
  readonly cutoff: number;
  /** Width of that transition. */
  readonly transition: number;
  readonly stopbandDb: number;
  /** Positions between two input samples that the filter is tabulated at. */
  readonly phases: number;
}

/** A low-pass tabulated at `phases + 1` sub-sample positions, the last one being the first moved by a sample. */
export interface SincKernel {
  /** Input samples on each side of the position; a row has `2 * halfTaps` taps. */
  readonly halfTaps: number;
  readonly phases: number;
  /** Row-major taps. Row `p`, tap `k` weighs input sample `floor(position) - halfTaps + 1 + k`. */
  readonly rows: Float32Array;
}

/** Input samples on each side that a Kaiser window needs for this attenuation and transition. */
export function sincHalfTaps(design: Pick<SincDesign, "stopbandDb" | "transition">): number {
  return Math.ceil((design.stopbandDb - 7.95) / (14.36 * design.transition) / 2);
}

/**
 * Tabulates a Kaiser-windowed sinc.
 *
 * Every row sums to 1, so that a constant passes unchanged at any position. The taps are rounded to 32 bits:
 * that puts the noise floor near -140 dB, and it hides differences of the last bit between math libraries, so
 * that two workers get the same samples and a quorum on the result can be reached.
 */
export function createSincKernel(design: SincDesign): SincKernel {
  const halfTaps = sincHalfTaps(design);
  const taps = 2 * halfTaps;
  const window = kaiser(0.1102 * (design.stopbandDb - 8.7));
  const rows = new Float32Array((design.phases + 1) * taps);
  const row = new Float64Array(taps);
  for (let phase = 0; phase <= design.phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const distance = tap - (halfTaps - 1) - phase / design.phases;
      const value = sinc(2 * design.cutoff * distance) * window(distance / halfTaps);
      row[tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < taps; tap++) rows[phase * taps + tap] = (row[tap] ?? 0) / sum;
  }
  return { halfTaps, phases: design.phases, rows };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(beta: number): (x: number) => number {
  const scale = 1 / besselI0(beta);
  return (x) => (Math.abs(x) >= 1 ? 0 : besselI0(beta * Math.sqrt(1 - x * x)) * scale);
}

/** Modified Bessel function of the first kind, order zero, by its power series. */
function besselI0(x: number): number {
  const quarterSquare = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= quarterSquare / (k * k);
    sum += term;
  }
  return sum;
}
