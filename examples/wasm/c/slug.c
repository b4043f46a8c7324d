// A handler: a title in, the last part of its address out: "Hello, World! 2" becomes "hello-world-2". No library.
#include "subnet-worker.h"

enum { HEAP_BYTES = 1 << 20 };

static char heap[HEAP_BYTES] __attribute__((aligned(8)));
static u32 heap_used;

/** Where the host puts the input. An instance serves one run, so nothing is ever given back. */
EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 new_size) {
  (void)old, (void)old_size;
  u32 start = (heap_used + align - 1) & ~(align - 1);
  if (new_size > HEAP_BYTES - start) __builtin_trap();
  heap_used = start + new_size;
  return heap + start;
}

static struct result result;

static struct result *fail(struct text code, struct text message) {
  result = (struct result){.is_failure = 1, .failure = {code, message, .is_retryable = 0}};
  return &result;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c; }

static int is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

EXPORT("run") struct result *run(u32 which, char *bytes, u32 length) {
  if (which != VALUE_TEXT) return fail(TEXT("not-text"), TEXT("the input must be text"));
  // The slug is never longer than the title, so it is written over it.
  u32 used = 0;
  int is_gap = 0;
  for (u32 at = 0; at < length; at++) {
    char c = lower(bytes[at]);
    if (!is_plain(c)) {
      is_gap = used > 0;
      continue;
    }
    if (is_gap) bytes[used++] = '-';
    is_gap = 0;
    bytes[used++] = c;
  }
  if (used == 0) return fail(TEXT("empty"), TEXT("the title has neither letters nor digits"));
  struct text message = TEXT("made a slug");
  host_log(LEVEL_INFO, message.bytes, message.length);
  result = (struct result){.value = {VALUE_TEXT, {bytes, used}}};
  return &result;
}
