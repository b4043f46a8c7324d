/* `execute` without a library: the input reversed. An input that begins with "!" is an error of its length. */
static unsigned char output[4 + 1000000];

__attribute__((export_name("execute"))) int execute(const unsigned char *input, int length) {
  if (length > 0 && input[0] == '!') return -length;
  if (length > 1000000) return -1;
  for (int i = 0; i < length; i++) output[4 + i] = input[length - 1 - i];
  *(int *)output = length;
  return (int)output;
}
