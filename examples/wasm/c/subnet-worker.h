// The world `subnet:worker/handler` for C without a library: what the canonical ABI makes of its types and functions.
#ifndef SUBNET_WORKER_H
#define SUBNET_WORKER_H

typedef unsigned char u8;
typedef unsigned int u32;

/** Text is UTF-8, without a zero at its end. */
struct text {
  const char *bytes;
  u32 length;
};

enum value_case { VALUE_TEXT, VALUE_JSON, VALUE_BYTES };

/** `value`: an input or an output. */
struct value {
  u8 which;
  struct text content;
};

/** `failure`: why a run failed. */
struct failure {
  struct text code;
  struct text message;
  u8 is_retryable;
};

/** `result<value, failure>`, what `run` gives back. */
struct result {
  u8 is_failure;
  union {
    struct value value;
    struct failure failure;
  };
};

enum level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

#define HOST(name) __attribute__((import_module("subnet:worker/host@0.1.0"), import_name(name)))

HOST("log") void host_log(u32 level, const char *message, u32 length);
HOST("progress") void host_progress(u32 is_known, double fraction, const char *message, u32 length);

/** Before the name of a function that a component exports. */
#define EXPORT(name) __attribute__((export_name(name)))

#define TEXT(literal) ((struct text){literal, sizeof(literal) - 1})

#endif
