-- What was spent since a moment is asked before each call that costs: it must not read all steps.
CREATE INDEX workflow_steps_spent ON workflow_steps (completed_at, usd) WHERE usd > 0;
