/** Bumped with every change of the tables; a database of another version is refused with advice. */
export const SCHEMA_VERSION = 1;

export const SCHEMA = `
CREATE TABLE identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  chain_id TEXT NOT NULL,
  wallet TEXT NOT NULL
) STRICT;

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  queue TEXT NOT NULL,
  kind TEXT NOT NULL,
  version TEXT NOT NULL,
  workflow_instance_id TEXT NOT NULL,
  round INTEGER NOT NULL,
  state TEXT NOT NULL,
  -- The state's own data as JSON: each state has other fields.
  detail TEXT NOT NULL,
  is_final INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_open ON tasks (id) WHERE is_final = 0;

CREATE TABLE intents (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  task_id TEXT NOT NULL,
  to_address TEXT NOT NULL,
  data TEXT NOT NULL,
  state TEXT NOT NULL,
  nonce INTEGER,
  tx_hash TEXT,
  block_number INTEGER,
  gas_used TEXT,
  effective_gas_price_wei TEXT,
  revert_name TEXT,
  revert_message TEXT,
  created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX intents_open ON intents (id) WHERE state IN ('queued', 'signed');
CREATE UNIQUE INDEX intents_nonce ON intents (nonce) WHERE nonce IS NOT NULL;

CREATE TABLE attempts (
  tx_hash TEXT PRIMARY KEY,
  intent_id INTEGER NOT NULL REFERENCES intents (id),
  nonce INTEGER NOT NULL,
  raw TEXT NOT NULL,
  max_fee_per_gas_wei TEXT NOT NULL,
  max_priority_fee_per_gas_wei TEXT NOT NULL,
  gas_limit TEXT NOT NULL,
  signed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_intent ON attempts (intent_id);

CREATE TABLE cursors (
  name TEXT PRIMARY KEY,
  block_number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
