// A database as a module of about 1 MB: SQLite with its tables in memory and no files, which needs no import.
#include <stdint.h>
#include <string.h>

#include "sqlite3.h"

static int open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out) {
  (void)vfs, (void)name, (void)file, (void)flags, (void)out;
  return SQLITE_CANTOPEN;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync) {
  (void)vfs, (void)name, (void)sync;
  return SQLITE_IOERR;
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
  (void)vfs, (void)name, (void)flags;
  *out = 0;
  return SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
  (void)vfs;
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

// Always the same, so that all runs burn the same fuel.
static int random_bytes(sqlite3_vfs *vfs, int size, char *out) {
  (void)vfs;
  memset(out, 7, (size_t)size);
  return size;
}

static int wait_us(sqlite3_vfs *vfs, int us) {
  (void)vfs;
  return us;
}

static int julian_day(sqlite3_vfs *vfs, double *day) {
  (void)vfs;
  *day = 2460000.5;
  return SQLITE_OK;
}

static sqlite3_vfs no_files = {
    .iVersion = 1,
    .szOsFile = sizeof(sqlite3_file),
    .mxPathname = 64,
    .zName = "none",
    .xOpen = open_file,
    .xDelete = delete_file,
    .xAccess = access_file,
    .xFullPathname = full_path,
    .xRandomness = random_bytes,
    .xSleep = wait_us,
    .xCurrentTime = julian_day,
};

int sqlite3_os_init(void) { return sqlite3_vfs_register(&no_files, 1); }

int sqlite3_os_end(void) { return SQLITE_OK; }

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, 0) != SQLITE_OK) __builtin_trap();
  return statement;
}

// The first number of the first row; 0 when there is none.
static sqlite3_int64 query(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = prepare(db, sql);
  const int step = sqlite3_step(statement);
  if (step != SQLITE_ROW && step != SQLITE_DONE) __builtin_trap();
  const sqlite3_int64 value = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  return value;
}

static void fill(sqlite3 *db, int32_t rows) {
  query(db, "create table job (id integer primary key, queue text, cost real)");
  query(db, "create index by_queue on job (queue, cost)");
  query(db, "begin");
  sqlite3_stmt *insert =
      prepare(db, "insert into job values (?1, 'queue-' || (?1 * 7919 % 50), ?1 * 31 % 1009)");
  for (int32_t id = 1; id <= rows; id += 1) {
    sqlite3_bind_int(insert, 1, id);
    if (sqlite3_step(insert) != SQLITE_DONE) __builtin_trap();
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  query(db, "commit");
}

// Makes a table of n rows with an index, and asks it two questions; without rows, only one question that needs no table.
__attribute__((export_name("run"))) int32_t run(int32_t n) {
  sqlite3 *db;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) __builtin_trap();
  if (n == 0) {
    const sqlite3_int64 answer = query(db, "select 6 * length('seventh')");
    sqlite3_close(db);
    return (int32_t)answer;
  }
  fill(db, n);
  const sqlite3_int64 worth =
      query(db,
            "select sum(worth) from (select queue, count(*) * cast(avg(cost) as integer) as worth from job"
            " where id % 3 != 1 group by queue order by worth desc limit 20)");
  const sqlite3_int64 twins =
      query(db,
            "select count(*) from job a join job b on b.queue = a.queue and b.cost = a.cost"
            " where a.id < b.id and a.queue like '%-1%'");
  sqlite3_close(db);
  return (int32_t)(worth * 31 + twins);
}

static struct {
  uint32_t length;
  int32_t value;
} answer;

// `execute` of the raw ABI: makes as many rows as the input has bytes; the answer is a number of 4 bytes.
__attribute__((export_name("execute"))) const void *execute(const unsigned char *input, int32_t length) {
  (void)input;
  answer.value = run(length);
  answer.length = sizeof(answer.value);
  return &answer;
}
