-- How the system controller steers the other components: it has no network path to them, so it
-- writes what it wants here, and they answer here.
CREATE TABLE IF NOT EXISTS component_control (
    component TEXT PRIMARY KEY,
    desired_state TEXT NOT NULL DEFAULT 'Running' CHECK (desired_state IN ('Running', 'Paused')),
    reason TEXT NOT NULL DEFAULT '',
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS component_heartbeat (
    component TEXT NOT NULL,
    instance TEXT NOT NULL,
    state TEXT NOT NULL,
    detail JSONB NOT NULL DEFAULT '{}',
    beat_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT component_heartbeat_pkey PRIMARY KEY (component, instance)
);

INSERT INTO component_control (component, reason)
VALUES
    ('data-acquisition', 'initial state'),
    ('feature-engineering', 'initial state'),
    ('model-training', 'initial state'),
    ('trading-strategy', 'initial state')
ON CONFLICT (component) DO NOTHING;
