CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    ts REAL NOT NULL,
    quarter INTEGER NOT NULL,
    key_id TEXT,
    user_id TEXT,
    team TEXT,
    dialect TEXT NOT NULL,
    operation TEXT NOT NULL,
    route TEXT,
    model TEXT,
    target TEXT,
    attempts TEXT NOT NULL,
    status INTEGER NOT NULL,
    error TEXT,
    stream INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    cost_pico INTEGER,
    ttft_ms REAL,
    duration_ms REAL NOT NULL,
    overhead_ms REAL,
    client TEXT
);
CREATE INDEX calls_ts ON calls (ts);
CREATE INDEX calls_key ON calls (key_id, ts);
CREATE INDEX calls_user ON calls (user_id, ts);
CREATE INDEX calls_team ON calls (team, ts);
CREATE INDEX calls_model ON calls (model, ts);

CREATE TABLE usage_totals (
    span INTEGER NOT NULL,
    start INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    team TEXT NOT NULL,
    route TEXT NOT NULL,
    model TEXT NOT NULL,
    target TEXT NOT NULL,
    calls INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL,
    PRIMARY KEY (span, start, key_id, user_id, team, route, model, target)
) WITHOUT ROWID;

-- Fires for rows that were really inserted only, so a replayed call is not counted twice.
CREATE TRIGGER calls_usage AFTER INSERT ON calls BEGIN
    INSERT INTO usage_totals
    SELECT
        span, new.quarter / span * span,
        coalesce(new.key_id, ''), coalesce(new.user_id, ''), coalesce(new.team, ''),
        coalesce(new.route, ''), coalesce(new.model, ''), coalesce(new.target, ''),
        1, new.error IS NOT NULL OR new.status >= 400,
        new.prompt_tokens, new.cached_tokens, new.cache_write_tokens,
        new.completion_tokens, new.reasoning_tokens,
        new.estimated,
        new.cost_pico IS NULL
            AND (new.status < 400 OR new.prompt_tokens + new.completion_tokens > 0),
        coalesce(new.cost_pico, 0)
    FROM (SELECT 3600 AS span UNION ALL SELECT 86400)
    WHERE true
    ON CONFLICT (span, start, key_id, user_id, team, route, model, target) DO UPDATE SET
        calls = calls + excluded.calls,
        errors = errors + excluded.errors,
        prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens,
        reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
        estimated = estimated + excluded.estimated,
        unpriced = unpriced + excluded.unpriced,
        cost_pico = cost_pico + excluded.cost_pico;
END;

CREATE TABLE content (
    request_id TEXT NOT NULL PRIMARY KEY,
    ts REAL NOT NULL,
    request TEXT,
    response TEXT
);
CREATE INDEX content_ts ON content (ts);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT,
    team TEXT,
    created_at REAL NOT NULL
);

CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    user_id TEXT,
    team TEXT,
    settings TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    disabled_at REAL,
    rotated_from TEXT,
    grace_until REAL
);
CREATE INDEX keys_user ON keys (user_id);

CREATE TABLE identity_version (version INTEGER NOT NULL);
INSERT INTO identity_version VALUES (0);
