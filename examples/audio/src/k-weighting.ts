/** One channel's K-weighting filter, which remembers its state from call to call. */
export interface KWeighting {
  /** Filters the samples and returns the sum of the squares of what comes out. */
  filteredEnergy(samples: Float32Array): number;
}

/** Coefficients of a second-order section; `a0` is 1. */
export interface Biquad {
  readonly b0: number;
  readonly b1: number;
  readonly b2: number;
  readonly a1: number;
  readonly a2: number;
}

/**
 * The two-stage K-weighting of ITU-R BS.1770-4 for any sample rate: a high shelf for the head, then a
 * high-pass.
 *
 * The recommendation prints coefficients for 48 kHz only. These are the analogue prototypes they come from,
 * put through the bilinear transform again; at 48 kHz they give the printed numbers back.
 */
export function createKWeighting(sampleRateHz: number): KWeighting {
  const shelf = createSection(headShelf(sampleRateHz));
  const highPass = createSection(lowCut(sampleRateHz));
  return {
    filteredEnergy(samples) {
      let energy = 0;
      for (let index = 0; index < samples.length; index++) {
        const weighted = highPass(shelf(samples[index] ?? 0));
        energy += weighted * weighted;
      }
      return energy;
    },
  };
}

/** First stage: +4 dB above about 1.7 kHz. */
export function headShelf(sampleRateHz: number): Biquad {
  const k = Math.tan((Math.PI * 1_681.974_450_955_533) / sampleRateHz);
  const q = 0.707_175_236_955_419_6;
  const high = 10 ** (3.999_843_853_973_347 / 20);
  const band = high ** 0.499_666_774_154_541_6;
  const a0 = 1 + k / q + k * k;
  return {
    b0: (high + (band * k) / q + k * k) / a0,
    b1: (2 * (k * k - high)) / a0,
    b2: (high - (band * k) / q + k * k) / a0,
    a1: (2 * (k * k - 1)) / a0,
    a2: (1 - k / q + k * k) / a0,
  };
}

/** Second stage: cuts below about 38 Hz. Its numerator is 1, -2, 1 unscaled, as printed. */
export function lowCut(sampleRateHz: number): Biquad {
  const k = Math.tan((Math.PI * 38.135_470_876_024_44) / sampleRateHz);
  const q = 0.500_327_037_323_877_3;
  const a0 = 1 + k / q + k * k;
  return { b0: 1, b1: -2, b2: 1, a1: (2 * (k * k - 1)) / a0, a2: (1 - k / q + k * k) / a0 };
}

/** Transposed direct form II: two state values, good numerical behaviour at low frequencies. */
function createSection(section: Biquad): (input: number) => number {
  const { b0, b1, b2, a1, a2 } = section;
  let s1 = 0;
  let s2 = 0;
  return (input) => {
    const output = b0 * input + s1;
    s1 = b1 * input - a1 * output + s2;
    s2 = b2 * input - a2 * output;
    return output;
  };
}
