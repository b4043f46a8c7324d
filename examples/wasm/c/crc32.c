// `execute`: the CRC-32 of the input (as zip, PNG and Ethernet have it), as eight hexadecimal digits. No library.
typedef unsigned char u8;
typedef unsigned int u32;

static struct {
  u32 length;
  char digits[8];
} answer = {.length = 8};

static u32 crc32(const u8 *bytes, u32 length) {
  u32 crc = ~0u;
  for (u32 at = 0; at < length; at++) {
    crc ^= bytes[at];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

__attribute__((export_name("execute"))) void *execute(const u8 *input, u32 length) {
  u32 crc = crc32(input, length);
  for (int at = 0; at < 8; at++) answer.digits[at] = "0123456789abcdef"[crc >> (28 - 4 * at) & 15];
  return &answer;
}
