-- What version 1 kept: a run that its process left behind, one that waits, one that has ended.
INSERT INTO programs (hash, name, source, program) VALUES ('{hash}', 'it.flow', 'flow it() …', '{program}');

INSERT INTO owners (id, host, boot, pid, pid_started, beats) VALUES (7, 'left', '', 1, 1, 1);

INSERT INTO workflow_runs (run_id, workflow_name, program_hash, status, steps_total, steps_completed, steps_begun, events,
    input_tokens, output_tokens, usd, started_at, completed_at, duration_ms, owner, epoch, recoveries, input_data, output_data)
VALUES
    ('run-1', 'it', '{hash}', 'running', 2, 1, 1, 3, 100, 20, 0.25, '2026-11-23T10:00:00.000000Z', NULL, NULL, 8, 1, 0, '{}', NULL),
    ('run-2', 'it', '{hash}', 'waiting', 2, 0, 0, 1, 0, 0, 0.0, '2026-11-23T10:00:00.000000Z', NULL, NULL, NULL, 1, 0, '{}', NULL),
    ('run-3', 'it', '{hash}', 'completed', 2, 0, 0, 2, 0, 0, 0.0, '2026-11-23T10:00:00.000000Z', '2026-11-23T10:00:01.000000Z', 1000, 7, 1, 0, '{}', '"done"');

INSERT INTO workflow_steps (workflow_run_id, path, step_number, step_name, tool_name, status, attempt, started_at,
    completed_at, duration_ms, input_tokens, output_tokens, usd, result)
VALUES (1, 'page', 1, 'page', 'web.scrape', 'completed', 1, '2026-11-23T10:00:00.010000Z', '2026-11-23T10:00:00.020000Z', 10, 100,
    20, 0.25, '"text"');

INSERT INTO workflow_events (workflow_run_id, number, event, data) VALUES
    (1, 1, 'run.started', '{"number":1,"at":"2026-11-23T10:00:00Z","event":"run.started","run":"run-1","flow":"it","program":"{hash}","input":{},"steps":2}'),
    (1, 2, 'step.started', '{"number":2,"at":"2026-11-23T10:00:00.01Z","event":"step.started","path":"page","action":"web.scrape","attempt":1}'),
    (1, 3, 'step.completed', '{"number":3,"at":"2026-11-23T10:00:00.02Z","event":"step.completed","path":"page","result":"text","duration_ms":10,"usage":{"input_tokens":100,"output_tokens":20,"usd":0.25}}'),
    (2, 1, 'run.started', '{"number":1,"at":"2026-11-23T10:00:00Z","event":"run.started","run":"run-2","flow":"it","program":"{hash}","input":{},"steps":2}'),
    (3, 1, 'run.started', '{"number":1,"at":"2026-11-23T10:00:00Z","event":"run.started","run":"run-3","flow":"it","program":"{hash}","input":{},"steps":2}'),
    (3, 2, 'run.completed', '{"number":2,"at":"2026-11-23T10:00:01Z","event":"run.completed","output":"done","duration_ms":1000}');
