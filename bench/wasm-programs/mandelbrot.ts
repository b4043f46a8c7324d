// AssemblyScript: a loop of floating point whose length depends on the data, and a managed array: the Mandelbrot
// set on a grid of 160 by 120, at most n iterations a point.

const WIDTH: i32 = 160;
const HEIGHT: i32 = 120;

function iterationsAt(x: f64, y: f64, limit: i32): i32 {
  let re: f64 = 0;
  let im: f64 = 0;
  let count: i32 = 0;
  while (count < limit && re * re + im * im <= 4) {
    const next = re * re - im * im + x;
    im = 2 * re * im + y;
    re = next;
    count++;
  }
  return count;
}

/** Work that grows with `n`; the result depends on all of it. */
export function run(n: i32): i32 {
  const counts = new Array<i32>(WIDTH * HEIGHT);
  for (let row = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const x = (column - 110) / 50.0;
      const y = (row - 60) / 50.0;
      counts[row * WIDTH + column] = iterationsAt(x, y, n);
    }
  }
  let sum: u32 = 0;
  for (let at = 0; at < counts.length; at++) sum = sum * 31 + counts[at];
  return sum;
}

/** `execute` of the raw ABI: a number in, the number that `run` makes of it out, both in decimal digits. */
export function execute(input: usize, length: i32): usize {
  const n = I32.parseInt(String.UTF8.decodeUnsafe(input, length));
  const digits = String.UTF8.encode((run(n) as u32).toString());
  const answer = heap.alloc(4 + digits.byteLength);
  store<u32>(answer, digits.byteLength);
  memory.copy(answer + 4, changetype<usize>(digits), digits.byteLength);
  return answer;
}
