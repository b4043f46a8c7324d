// What every C program here has in common: no library, and `execute` over its `run`.
#ifndef PROGRAM_H
#define PROGRAM_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(name)))

// Work that grows with `n`; the result depends on all of it.
int run(int n);

static struct {
  u32 length;
  char text[12];
} answer;

// `execute` of the raw ABI: a number in, the number that `run` makes of it out, both in decimal digits.
EXPORT("execute") char *execute(const char *input, int length) {
  int n = 0;
  for (int at = 0; at < length; at++) {
    if (input[at] < '0' || input[at] > '9') return (char *)-1;
    n = n * 10 + (input[at] - '0');
  }
  u32 result = (u32)run(n);
  char digits[12];
  int count = 0;
  do digits[count++] = (char)('0' + result % 10);
  while ((result /= 10) > 0);
  answer.length = (u32)count;
  for (int at = 0; at < count; at++) answer.text[at] = digits[count - 1 - at];
  return (char *)&answer;
}

// Numbers that look random and are the same everywhere: a linear congruential generator (Numerical Recipes).
static inline u32 next_random(u32 *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state;
}

#endif
