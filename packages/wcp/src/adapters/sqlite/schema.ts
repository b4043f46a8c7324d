/** Bumped with every change of the tables; a database of another version is refused with advice. */
export const SCHEMA_VERSION = 4;

export const SCHEMA = `
CREATE TABLE identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  chain_id TEXT NOT NULL,
  wallet TEXT NOT NULL,
  -- Of the chain's first block, once it was read.
  genesis_hash TEXT
) STRICT;

CREATE TABLE tasks (
  number INTEGER PRIMARY KEY,
  -- Of 32 bits; ids of networks to come may begin and end alike.
  id_hash INTEGER NOT NULL,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  queue TEXT NOT NULL,
  kind TEXT NOT NULL,
  version TEXT NOT NULL,
  workflow_instance_id TEXT NOT NULL,
  -- Tenant, priority, deadline and needs, as JSON; NULL where the network says nothing of them.
  traits TEXT,
  round INTEGER NOT NULL,
  state TEXT NOT NULL,
  -- The state's own data as JSON: each state has other fields.
  detail TEXT NOT NULL,
  is_final INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
-- Of the one value and the row number: as short as an index can be.
CREATE INDEX tasks_open ON tasks (is_final) WHERE is_final = 0;
-- A tenth of what an index over ids takes. That no id is there twice is the journal's part.
CREATE INDEX tasks_by_id_hash ON tasks (id_hash);

-- What each commit changed; a task is in the table above once it has not changed for a while.
CREATE TABLE task_journal (
  number INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  -- JSON list of [id, source, queue, kind, version, workflow_instance_id, traits, round, state].
  tasks TEXT NOT NULL
) STRICT;

-- The last state of each task in the journal. The other columns are those of the row with the highest number.
CREATE VIEW journaled_tasks AS
  SELECT
    json_extract(entry.value, '$[0]') AS id,
    json_extract(entry.value, '$[2]') AS queue,
    json_extract(entry.value, '$[3]') AS kind,
    json_extract(entry.value, '$[4]') AS version,
    json_extract(entry.value, '$[5]') AS workflow_instance_id,
    json_extract(entry.value, '$[7]') AS round,
    json_extract(entry.value, '$[8].kind') AS state,
    json_remove(json_extract(entry.value, '$[8]'), '$.kind') AS detail,
    at_ms AS updated_at_ms,
    max(number) AS number
  FROM task_journal, json_each(tasks) AS entry
  GROUP BY json_extract(entry.value, '$[0]');

-- All tasks as they are.
CREATE VIEW current_tasks AS
  SELECT id, queue, kind, version, workflow_instance_id, round, state, detail, updated_at_ms
  FROM tasks WHERE id NOT IN (SELECT id FROM journaled_tasks)
  UNION ALL
  SELECT id, queue, kind, version, workflow_instance_id, round, state, detail, updated_at_ms
  FROM journaled_tasks;

CREATE TABLE intents (
  -- Never used again, also when the row is forgotten: transactions name their intents by it.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  task_id TEXT NOT NULL,
  to_address TEXT NOT NULL,
  data TEXT NOT NULL,
  deadline_ms INTEGER,
  replaces TEXT,
  state TEXT NOT NULL,
  -- Of the transaction that carries it, or carried it to its end.
  nonce INTEGER,
  is_confirmed INTEGER NOT NULL DEFAULT 0,
  tx_hash TEXT,
  block_number INTEGER,
  block_hash TEXT,
  -- Its even share, where one transaction carried several.
  gas_used TEXT,
  effective_gas_price_wei TEXT,
  revert_name TEXT,
  revert_message TEXT,
  drop_reason TEXT,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX intents_open ON intents (id)
  WHERE state IN ('queued', 'signed') OR (state IN ('mined', 'reverted') AND is_confirmed = 0);
CREATE INDEX intents_by_nonce ON intents (nonce);
CREATE INDEX intents_by_task ON intents (task_id);

CREATE TABLE transactions (
  nonce INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  -- JSON list of intent ids, in the order of the calls.
  intent_ids TEXT NOT NULL,
  state TEXT NOT NULL,
  tx_hash TEXT,
  block_number INTEGER,
  block_hash TEXT,
  gas_used TEXT,
  effective_gas_price_wei TEXT,
  succeeded INTEGER,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX transactions_open ON transactions (nonce) WHERE state IN ('signed', 'included');

CREATE TABLE attempts (
  tx_hash TEXT PRIMARY KEY,
  nonce INTEGER NOT NULL REFERENCES transactions (nonce) ON DELETE CASCADE,
  -- 1 for the first of its nonce.
  number INTEGER NOT NULL,
  is_noop INTEGER NOT NULL,
  -- JSON: why it took the place of work, and what becomes of that.
  giving_up TEXT,
  raw TEXT NOT NULL,
  max_fee_per_gas_wei TEXT NOT NULL,
  max_priority_fee_per_gas_wei TEXT NOT NULL,
  gas_limit TEXT NOT NULL,
  signed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX attempts_by_nonce ON attempts (nonce, number);

-- What the operator asked for with wcp tx, from another process.
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  action TEXT NOT NULL,
  nonce INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  -- JSON: whether it was carried out, and a sentence for the operator. NULL before.
  answer TEXT
) STRICT;

-- Queues that the operator paused, or let go on, against the configuration.
CREATE TABLE queue_pauses (
  queue TEXT PRIMARY KEY,
  is_paused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
  name TEXT PRIMARY KEY,
  block_number INTEGER NOT NULL,
  block_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;
