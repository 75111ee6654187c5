-- Instants are RFC 3339 texts in UTC, to the microsecond, all equally long, so that they sort. JSON is text.

CREATE TABLE schema_version (
    version    INTEGER PRIMARY KEY,
    applied_at TEXT NOT NULL
) STRICT;

-- The programs of the runs below, whatever becomes of their files.
CREATE TABLE programs (
    hash    TEXT PRIMARY KEY,
    name    TEXT NOT NULL, -- of the file
    source  TEXT NOT NULL, -- the file's text
    program TEXT NOT NULL  -- all of it, imports and signatures of tools included, as JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE workflow_runs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id          TEXT NOT NULL UNIQUE,
    workflow_name   TEXT NOT NULL,
    program_hash    TEXT NOT NULL REFERENCES programs (hash),
    status          TEXT NOT NULL, -- running, waiting, parked, completed, failed, cancelled
    user_id         TEXT,
    conversation_id TEXT,
    start_key       TEXT UNIQUE,
    forked_from     TEXT,
    steps_total     INTEGER NOT NULL, -- steps in the flow's text
    steps_completed INTEGER NOT NULL, -- executions that completed
    steps_begun     INTEGER NOT NULL,
    events          INTEGER NOT NULL, -- the number of the last
    input_tokens    INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL,
    usd             REAL NOT NULL,
    started_at      TEXT NOT NULL,
    completed_at    TEXT,
    duration_ms     INTEGER,
    wakes_at        TEXT,
    owner           INTEGER, -- the process that carries it on
    epoch           INTEGER NOT NULL, -- grows with each owner
    recoveries      INTEGER NOT NULL, -- how often it was taken from a dead owner since a step ended
    message_left    INTEGER NOT NULL DEFAULT 0, -- the last message for it
    message_read    INTEGER NOT NULL DEFAULT 0, -- the last message that it took
    error_kind      TEXT,
    error_message   TEXT,
    error           TEXT, -- all of it, as JSON
    -- What may be large stands last: what stands before is read and changed without it.
    input_data      TEXT NOT NULL,
    input_exact     TEXT, -- where JSON alone would be read as another value
    output_data     TEXT
) STRICT;

-- Each status has its own part of these, in which runs are in the order of their start.
CREATE INDEX workflow_runs_by_status ON workflow_runs (status, started_at);
CREATE INDEX workflow_runs_by_name ON workflow_runs (workflow_name, status, started_at);
CREATE INDEX workflow_runs_by_user ON workflow_runs (user_id, status, started_at) WHERE user_id IS NOT NULL;
CREATE INDEX workflow_runs_by_user_and_name ON workflow_runs (user_id, workflow_name, status, started_at)
    WHERE user_id IS NOT NULL;
CREATE INDEX workflow_runs_by_conversation ON workflow_runs (conversation_id, status, started_at)
    WHERE conversation_id IS NOT NULL;
CREATE INDEX workflow_runs_by_program ON workflow_runs (program_hash);
-- Those that could go on.
CREATE INDEX workflow_runs_owned ON workflow_runs (owner) WHERE status = 'running';
CREATE INDEX workflow_runs_waking ON workflow_runs (wakes_at) WHERE status = 'waiting';
CREATE INDEX workflow_runs_called ON workflow_runs (message_left) WHERE status = 'waiting' AND message_left > message_read;

-- One row for each execution of a step.
CREATE TABLE workflow_steps (
    workflow_run_id INTEGER NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    path            TEXT NOT NULL, -- without its own attempt
    step_number     INTEGER NOT NULL, -- in the order they began
    step_name       TEXT NOT NULL, -- the path without indexes, rounds and attempts
    title           TEXT,
    tool_name       TEXT, -- the tool or flow; for a block its keyword
    tool_args_hash  TEXT, -- SHA-256
    status          TEXT NOT NULL, -- running, retrying, completed, failed, skipped, cancelled
    attempt         INTEGER NOT NULL,
    error_kind      TEXT,
    error_message   TEXT,
    started_at      TEXT NOT NULL,
    completed_at    TEXT,
    duration_ms     INTEGER,
    input_tokens    INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL,
    usd             REAL NOT NULL,
    result          TEXT,
    PRIMARY KEY (workflow_run_id, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX workflow_steps_failed ON workflow_steps (workflow_run_id, step_name, error_kind) WHERE status = 'failed';

-- The journal.
CREATE TABLE workflow_events (
    workflow_run_id INTEGER NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    number          INTEGER NOT NULL, -- from 1, without gaps
    event           TEXT NOT NULL, -- run.started, step.completed and so on
    data            TEXT NOT NULL, -- all of it, as JSON
    PRIMARY KEY (workflow_run_id, number)
) STRICT, WITHOUT ROWID;

-- What was said to runs from outside.
CREATE TABLE workflow_messages (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_run_id INTEGER NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    note            TEXT NOT NULL,
    sent_at         TEXT NOT NULL
) STRICT;

CREATE INDEX workflow_messages_by_run ON workflow_messages (workflow_run_id, number);

-- The processes that carry runs on.
CREATE TABLE owners (
    id          INTEGER PRIMARY KEY, -- random
    host        TEXT NOT NULL,
    boot        TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    beats       INTEGER NOT NULL -- grows while it is alive
) STRICT;
