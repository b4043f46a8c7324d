import { encode } from "fast-png";

import { drawText, GLYPH_HEIGHT, GLYPH_WIDTH } from "./tiny-font.ts";

/** Size of the picture in pixels. */
export const WAVEFORM_WIDTH = 1200;
export const WAVEFORM_HEIGHT = 300;

type Colour = readonly [red: number, green: number, blue: number];

const BACKGROUND: Colour = [15, 23, 42];
const GRID: Colour = [38, 50, 73];
const AXIS: Colour = [71, 85, 115];
const LABEL: Colour = [148, 163, 184];
const PEAK: Colour = [20, 116, 144];
const BODY: Colour = [94, 223, 244];

/** The wave takes the picture above this strip, which holds the time labels. */
const AXIS_STRIP = 26;
const PLOT_HEIGHT = WAVEFORM_HEIGHT - AXIS_STRIP;
const CENTRE = PLOT_HEIGHT / 2;
/** Pixels from the centre to full scale; the rest is air. */
const FULL_SCALE_PIXELS = CENTRE - 8;
const TEXT_SCALE = 2;
const MIN_TICK_PIXELS = 90;
const TICK_STEPS_S: readonly number[] = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

/**
 * Draws a recording as a 1200 x 300 PNG.
 *
 * Each column shows the lowest and highest sample of its share of the time, with the RMS as a brighter body,
 * so that a picture of half an hour still shows single peaks. Faint lines lie at half of full scale (-6 dBFS)
 * and at round times, which are labelled.
 */
export function drawWaveform(samples: Int16Array, sampleRateHz: number): Uint8Array {
  const canvas = createCanvas();
  const durationS = samples.length / sampleRateHz;
  for (const share of [-0.5, 0.5]) {
    const y = CENTRE - share * FULL_SCALE_PIXELS;
    canvas.paint({ x: 0, width: WAVEFORM_WIDTH, top: y, bottom: y + 1 }, GRID);
  }
  drawTimeAxis(canvas, durationS);
  canvas.paint({ x: 0, width: WAVEFORM_WIDTH, top: CENTRE - 0.5, bottom: CENTRE + 0.5 }, AXIS);
  for (let x = 0; x < WAVEFORM_WIDTH; x++) drawColumn(canvas, x, columnOf(samples, x));
  return encode({
    width: WAVEFORM_WIDTH,
    height: WAVEFORM_HEIGHT,
    data: canvas.pixels,
    channels: 3,
    depth: 8,
  });
}

/** One column's extremes and RMS; full scale is 1. */
interface Column {
  readonly low: number;
  readonly high: number;
  readonly rms: number;
}

function columnOf(samples: Int16Array, x: number): Column {
  const start = Math.min(samples.length - 1, Math.floor((x * samples.length) / WAVEFORM_WIDTH));
  const end = Math.max(start + 1, Math.floor(((x + 1) * samples.length) / WAVEFORM_WIDTH));
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let squares = 0;
  // One sample more than the share, so that neighbouring columns touch where the wave is steep.
  for (const sample of samples.subarray(start, end + 1)) {
    low = Math.min(low, sample);
    high = Math.max(high, sample);
    squares += sample * sample;
  }
  const count = Math.min(samples.length, end + 1) - start;
  return { low: low / 32_768, high: high / 32_768, rms: Math.sqrt(squares / count) / 32_768 };
}

function drawColumn(canvas: Canvas, x: number, column: Column): void {
  const top = CENTRE - column.high * FULL_SCALE_PIXELS;
  const bottom = CENTRE - column.low * FULL_SCALE_PIXELS;
  // Silence keeps a visible line.
  const spread = Math.max(0, 1.5 - (bottom - top)) / 2;
  canvas.paint({ x, width: 1, top: top - spread, bottom: bottom + spread }, PEAK);
  const bodyTop = Math.max(top - spread, CENTRE - column.rms * FULL_SCALE_PIXELS - 0.5);
  const bodyBottom = Math.min(bottom + spread, CENTRE + column.rms * FULL_SCALE_PIXELS + 0.5);
  canvas.paint({ x, width: 1, top: bodyTop, bottom: bodyBottom }, BODY);
}

function drawTimeAxis(canvas: Canvas, durationS: number): void {
  const minStepS = (durationS * MIN_TICK_PIXELS) / WAVEFORM_WIDTH;
  const stepS = TICK_STEPS_S.find((candidate) => candidate >= minStepS) ?? 600;
  canvas.paint({ x: 0, width: WAVEFORM_WIDTH, top: PLOT_HEIGHT, bottom: PLOT_HEIGHT + 1 }, AXIS);
  for (let tick = 0; tick * stepS <= durationS; tick++) {
    const x = Math.round(((tick * stepS) / durationS) * WAVEFORM_WIDTH);
    canvas.paint({ x, width: 1, top: 0, bottom: PLOT_HEIGHT + 6 }, GRID);
    const label = timeLabel(tick * stepS, stepS);
    const labelWidth = label.length * (GLYPH_WIDTH + 1) * TEXT_SCALE;
    if (x + labelWidth + 6 > WAVEFORM_WIDTH) continue;
    drawText(label, (column, row) => {
      const left = x + 6 + column * TEXT_SCALE;
      const top = PLOT_HEIGHT + (AXIS_STRIP - GLYPH_HEIGHT * TEXT_SCALE) / 2 + 1 + row * TEXT_SCALE;
      canvas.paint({ x: left, width: TEXT_SCALE, top, bottom: top + TEXT_SCALE }, LABEL);
    });
  }
}

function timeLabel(seconds: number, stepS: number): string {
  if (stepS < 1) return `${seconds.toFixed(1)}s`;
  if (seconds < 60) return `${seconds}s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** A box with sharp sides and with top and bottom anywhere between two pixels. */
interface Box {
  readonly x: number;
  readonly width: number;
  readonly top: number;
  readonly bottom: number;
}

interface Canvas {
  readonly pixels: Uint8Array;
  /** Paints a box; a pixel that it covers in part is mixed accordingly. */
  paint(box: Box, colour: Colour): void;
}

function createCanvas(): Canvas {
  const pixels = new Uint8Array(WAVEFORM_WIDTH * WAVEFORM_HEIGHT * 3);
  for (let offset = 0; offset < pixels.length; offset += 3) pixels.set(BACKGROUND, offset);

  function mix(offset: number, colour: Colour, coverage: number): void {
    for (const [index, value] of colour.entries()) {
      const below = pixels[offset + index] ?? 0;
      pixels[offset + index] = Math.round(below + (value - below) * coverage);
    }
  }

  return {
    pixels,
    paint(box, colour) {
      const right = Math.min(WAVEFORM_WIDTH, box.x + box.width);
      const bottom = Math.min(WAVEFORM_HEIGHT, Math.ceil(box.bottom));
      for (let y = Math.max(0, Math.floor(box.top)); y < bottom; y++) {
        const coverage = Math.min(y + 1, box.bottom) - Math.max(y, box.top);
        for (let x = box.x; x < right; x++) mix((y * WAVEFORM_WIDTH + x) * 3, colour, coverage);
      }
    },
  };
}
