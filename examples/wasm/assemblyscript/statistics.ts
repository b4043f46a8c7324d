// `execute`: numbers in, one on each line; how many there are, their smallest, largest and mean, as JSON out.

/** Negative results say what is wrong: -N, when line N is not a number. */
function failAt(line: i32): isize {
  return -line;
}

export function execute(input: usize, length: i32): isize {
  const lines = String.UTF8.decodeUnsafe(input, length).split("\n");
  let count = 0;
  let sum: f64 = 0;
  let least = f64.MAX_VALUE;
  let most = -f64.MAX_VALUE;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at].trim();
    if (line.length == 0) continue;
    const value = parseFloat(line);
    if (isNaN(value)) return failAt(at + 1);
    count++;
    sum += value;
    least = min(least, value);
    most = max(most, value);
  }
  if (count == 0) return answer('{"count":0}');
  const mean = sum / count;
  return answer(`{"count":${count},"min":${least},"max":${most},"mean":${mean}}`);
}

/** Four bytes of length, little-endian, then the content. It is not freed: an instance serves one run. */
function answer(content: string): isize {
  const length = String.UTF8.byteLength(content);
  const pointer = heap.alloc(4 + length);
  store<u32>(pointer, length);
  String.UTF8.encodeUnsafe(changetype<usize>(content), content.length, pointer + 4);
  return pointer;
}
