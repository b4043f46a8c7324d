// A command: CSV on stdin, one of its columns on stdout. `csv-column NAME`; quoted fields may hold commas, line ends
// and doubled quotes.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { FIELD_BYTES = 65536 };

static char field[FIELD_BYTES];

enum end { END_OF_FIELD, END_OF_ROW, END_OF_INPUT };

/** Reads one field into `field`; what is too long for it is cut. */
static enum end read_field(void) {
  int length = 0;
  bool is_quoted = false;
  for (;;) {
    int c = getchar();
    if (c == '"' && is_quoted) {
      int next = getchar();
      if (next != '"') {
        is_quoted = false;
        if (next != EOF) ungetc(next, stdin);
        continue;
      }
    } else if (c == '"' && length == 0) {
      is_quoted = true;
      continue;
    }
    bool is_end = c == EOF || (!is_quoted && (c == ',' || c == '\n'));
    if (is_end) {
      if (c == '\n' && length > 0 && field[length - 1] == '\r') length--;
      field[length] = '\0';
      return c == EOF ? END_OF_INPUT : c == ',' ? END_OF_FIELD : END_OF_ROW;
    }
    if (length < FIELD_BYTES - 1) field[length++] = (char)c;
  }
}

/** Number of the column that has this name in the first row, or -1. */
static int find_column(const char *name, enum end *end) {
  int found = -1;
  int column = 0;
  do {
    *end = read_field();
    if (found == -1 && strcmp(field, name) == 0) found = column;
    column++;
  } while (*end == END_OF_FIELD);
  return found;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: csv-column NAME < FILE\n");
    return 2;
  }
  enum end end;
  int wanted = find_column(argv[1], &end);
  if (wanted == -1) {
    fprintf(stderr, "there is no column %s\n", argv[1]);
    return 1;
  }
  for (int column = 0; end != END_OF_INPUT;) {
    end = read_field();
    bool is_blank_line = column == 0 && field[0] == '\0' && end != END_OF_FIELD;
    if (column == wanted && !is_blank_line) puts(field);
    column = end == END_OF_FIELD ? column + 1 : 0;
  }
  return 0;
}
