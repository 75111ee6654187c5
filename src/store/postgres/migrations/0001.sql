-- JSON is text: it may say what `jsonb` cannot keep (`\u0000`).

CREATE TABLE schema_version (
    version    bigint PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The programs of the runs below, whatever becomes of their files.
CREATE TABLE programs (
    hash    text PRIMARY KEY,
    name    text NOT NULL, -- of the file
    source  text NOT NULL, -- the file's text
    program text NOT NULL  -- all of it, imports and signatures of tools included, as JSON
);

-- With room in its pages: a run's row changes with each step, in what no index holds.
CREATE TABLE workflow_runs (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          text COLLATE "C" NOT NULL UNIQUE,
    workflow_name   text COLLATE "C" NOT NULL,
    program_hash    text NOT NULL REFERENCES programs (hash),
    status          text COLLATE "C" NOT NULL, -- running, waiting, parked, completed, failed, cancelled
    user_id         text,
    conversation_id text,
    start_key       text UNIQUE,
    forked_from     text,
    steps_total     bigint NOT NULL, -- steps in the flow's text
    steps_completed bigint NOT NULL, -- executions that completed
    steps_begun     bigint NOT NULL,
    events          bigint NOT NULL, -- the number of the last
    input_tokens    bigint NOT NULL,
    output_tokens   bigint NOT NULL,
    usd             double precision NOT NULL,
    started_at      timestamptz NOT NULL,
    completed_at    timestamptz,
    duration_ms     bigint,
    wakes_at        timestamptz,
    owner           bigint, -- the process that carries it on
    epoch           bigint NOT NULL, -- grows with each owner
    recoveries      bigint NOT NULL, -- how often it was taken from a dead owner since a step ended
    message_left    bigint NOT NULL DEFAULT 0, -- the last message for it
    message_read    bigint NOT NULL DEFAULT 0, -- the last message that it took
    error_kind      text,
    error_message   text,
    error           text, -- all of it, as JSON
    input_data      text NOT NULL,
    input_exact     text, -- where JSON alone would be read as another value
    output_data     text
) WITH (fillfactor = 70);

-- Each status has its own part of these, in which runs are in the order of their start.
CREATE INDEX workflow_runs_by_status ON workflow_runs (status, started_at, id);
CREATE INDEX workflow_runs_by_name ON workflow_runs (workflow_name, status, started_at, id);
CREATE INDEX workflow_runs_by_user ON workflow_runs (user_id, status, started_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX workflow_runs_by_user_and_name ON workflow_runs (user_id, workflow_name, status, started_at, id)
    WHERE user_id IS NOT NULL;
CREATE INDEX workflow_runs_by_conversation ON workflow_runs (conversation_id, status, started_at, id)
    WHERE conversation_id IS NOT NULL;
CREATE INDEX workflow_runs_by_program ON workflow_runs (program_hash);
-- Those that could go on.
CREATE INDEX workflow_runs_owned ON workflow_runs (owner) WHERE status = 'running';
CREATE INDEX workflow_runs_waking ON workflow_runs (wakes_at) WHERE status = 'waiting';
CREATE INDEX workflow_runs_called ON workflow_runs (message_left) WHERE status = 'waiting' AND message_left > message_read;

-- One row for each execution of a step.
CREATE TABLE workflow_steps (
    workflow_run_id bigint NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    path            text COLLATE "C" NOT NULL, -- without its own attempt
    step_number     bigint NOT NULL, -- in the order they began
    step_name       text COLLATE "C" NOT NULL, -- the path without indexes, rounds and attempts
    title           text,
    tool_name       text, -- the tool or flow; for a block its keyword
    tool_args_hash  text, -- SHA-256
    status          text NOT NULL, -- running, retrying, completed, failed, skipped, cancelled
    attempt         bigint NOT NULL,
    error_kind      text COLLATE "C",
    error_message   text,
    started_at      timestamptz NOT NULL,
    completed_at    timestamptz,
    duration_ms     bigint,
    input_tokens    bigint NOT NULL,
    output_tokens   bigint NOT NULL,
    usd             double precision NOT NULL,
    result          text,
    PRIMARY KEY (workflow_run_id, path)
) WITH (fillfactor = 80);

CREATE INDEX workflow_steps_failed ON workflow_steps (workflow_run_id, step_name, error_kind) WHERE status = 'failed';

-- The journal.
CREATE TABLE workflow_events (
    workflow_run_id bigint NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    number          bigint NOT NULL, -- from 1, without gaps
    event           text NOT NULL, -- run.started, step.completed and so on
    data            text NOT NULL, -- all of it, as JSON
    PRIMARY KEY (workflow_run_id, number)
);

-- What was said to runs from outside.
CREATE TABLE workflow_messages (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow_run_id bigint NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    note            text NOT NULL,
    sent_at         timestamptz NOT NULL
);

CREATE INDEX workflow_messages_by_run ON workflow_messages (workflow_run_id, number);

-- The processes that carry runs on.
CREATE TABLE owners (
    id          bigint PRIMARY KEY, -- random
    host        text NOT NULL,
    boot        text NOT NULL,
    pid         bigint NOT NULL,
    pid_started bigint NOT NULL,
    beats       bigint NOT NULL -- grows while it is alive
);
