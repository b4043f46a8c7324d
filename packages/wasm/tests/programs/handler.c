/* A component of the world handler, without a library. Does what the first letter of its input says. */
#include "subnet-worker.h"

static char heap[1 << 20] __attribute__((aligned(8)));
static u32 heap_used;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 new_size) {
  (void)old, (void)old_size;
  u32 start = (heap_used + align - 1) & ~(align - 1);
  if (new_size > sizeof heap - start) __builtin_trap();
  heap_used = start + new_size;
  return heap + start;
}

static struct result result;

static struct result *give(u32 which, const char *bytes, u32 length) {
  result = (struct result){.value = {(u8)which, {bytes, length}}};
  return &result;
}

static volatile u32 sink;

__attribute__((noinline)) static u32 recurse(u32 depth) {
  u32 below = recurse(depth + 1);
  return sink ? below + 1 : below ^ depth;
}

static struct result *grow(void) {
  u32 pages = 0;
  while (__builtin_wasm_memory_grow(0, 1) != (u32)-1) pages++;
  static char digits[8];
  for (u32 at = 0; at < 8; at++, pages /= 10) digits[7 - at] = (char)('0' + pages % 10);
  return give(VALUE_TEXT, digits, 8);
}

static struct result *fail(void) {
  result = (struct result){.is_failure = 1, .failure = {TEXT("bad-input"), TEXT("it is no good"), .is_retryable = 1}};
  return &result;
}

EXPORT("run") struct result *run(u32 which, char *bytes, u32 length) {
  struct text message = TEXT("half way");
  switch (length ? bytes[0] : 0) {
    case 'e': return give(which, bytes, length);
    case 'f': return fail();
    case 'g': return grow();
    case 'i': for (;;) sink++;
    case 'j': return give(VALUE_JSON, "{nothing", 8);
    case 'l': for (;;) host_log(LEVEL_INFO, message.bytes, message.length);
    case 'o': return give(VALUE_BYTES, heap, sizeof heap);
    case 'p':
      host_progress(1, 0.5, message.bytes, message.length);
      host_progress(1, 7, "", 0);
      host_progress(0, 0, "", 0);
      host_log(LEVEL_WARN, message.bytes, message.length);
      return give(VALUE_TEXT, "told", 4);
    case 'q': return give(VALUE_BYTES, heap, 0xfffffff0u);
    case 'r': return give(VALUE_TEXT, heap, recurse(0));
    case 's': {
      u32 sum = 0;
      for (u32 at = 0; at < 1000; at++) sum += sink ^ at;
      return give(VALUE_BYTES, heap, sum & 1);
    }
    case 't': __builtin_trap();
    case 'u': return give(VALUE_TEXT, "\xff\xfe", 2);
    case 'v': return give(9, bytes, length);
    case 'w': return give(VALUE_BYTES, (char *)0xfffffff0u, 64);
    case 'x': host_log(LEVEL_INFO, (char *)0xfffffff0u, 64); return give(which, bytes, 0);
    case 'y': host_log(99, message.bytes, message.length); return give(which, bytes, 0);
    default: return give(which, bytes, length);
  }
}
