-- Events stand in the order they come, and are found by an index. Where they stood by run, each step of a run wrote a page of
-- its own: a thousand runs at once, a thousand pages.
CREATE TABLE workflow_events_as_they_come (
    workflow_run_id INTEGER NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    number          INTEGER NOT NULL, -- from 1, without gaps
    event           TEXT NOT NULL, -- run.started, step.completed and so on
    data            TEXT NOT NULL, -- all of it, as JSON
    UNIQUE (workflow_run_id, number)
) STRICT;
INSERT INTO workflow_events_as_they_come SELECT * FROM workflow_events ORDER BY workflow_run_id, number;
DROP TABLE workflow_events;
ALTER TABLE workflow_events_as_they_come RENAME TO workflow_events;
