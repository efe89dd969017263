CREATE TABLE calls (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    ts DOUBLE PRECISION NOT NULL,
    quarter BIGINT NOT NULL,
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
    stream BOOLEAN NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    estimated BOOLEAN NOT NULL,
    cost_pico BIGINT,
    ttft_ms DOUBLE PRECISION,
    duration_ms DOUBLE PRECISION NOT NULL,
    overhead_ms DOUBLE PRECISION,
    client TEXT
);
CREATE INDEX calls_ts ON calls (ts, id);
CREATE INDEX calls_key ON calls (key_id, ts, id);
CREATE INDEX calls_user ON calls (user_id, ts, id);
CREATE INDEX calls_team ON calls (team, ts, id);
CREATE INDEX calls_model ON calls (model, ts, id);

CREATE TABLE usage_totals (
    span BIGINT NOT NULL,
    start BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    team TEXT NOT NULL,
    route TEXT NOT NULL,
    model TEXT NOT NULL,
    target TEXT NOT NULL,
    calls BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    estimated BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    cost_pico NUMERIC NOT NULL,
    PRIMARY KEY (span, start, key_id, user_id, team, route, model, target)
);

-- The transition table holds rows that were really inserted only, so a replayed call is not
-- counted twice. Totals are locked in key order: writers can't deadlock on them.
CREATE FUNCTION llmitm_add_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_totals AS total
    SELECT
        span, quarter / span * span,
        coalesce(key_id, ''), coalesce(user_id, ''), coalesce(team, ''),
        coalesce(route, ''), coalesce(model, ''), coalesce(target, ''),
        count(*), count(*) FILTER (WHERE error IS NOT NULL OR status >= 400),
        sum(prompt_tokens), sum(cached_tokens), sum(cache_write_tokens),
        sum(completion_tokens), sum(reasoning_tokens),
        count(*) FILTER (WHERE estimated),
        count(*) FILTER (
            WHERE cost_pico IS NULL AND (status < 400 OR prompt_tokens + completion_tokens > 0)
        ),
        coalesce(sum(cost_pico), 0)
    FROM fresh CROSS JOIN (VALUES (3600::bigint), (86400::bigint)) AS spans (span)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (span, start, key_id, user_id, team, route, model, target) DO UPDATE SET
        calls = total.calls + excluded.calls,
        errors = total.errors + excluded.errors,
        prompt_tokens = total.prompt_tokens + excluded.prompt_tokens,
        cached_tokens = total.cached_tokens + excluded.cached_tokens,
        cache_write_tokens = total.cache_write_tokens + excluded.cache_write_tokens,
        completion_tokens = total.completion_tokens + excluded.completion_tokens,
        reasoning_tokens = total.reasoning_tokens + excluded.reasoning_tokens,
        estimated = total.estimated + excluded.estimated,
        unpriced = total.unpriced + excluded.unpriced,
        cost_pico = total.cost_pico + excluded.cost_pico;
    RETURN NULL;
END
$$;
CREATE TRIGGER calls_usage AFTER INSERT ON calls
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION llmitm_add_usage();

CREATE TABLE content (
    request_id TEXT NOT NULL PRIMARY KEY,
    ts DOUBLE PRECISION NOT NULL,
    request TEXT,
    response TEXT
);
CREATE INDEX content_ts ON content (ts);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT,
    team TEXT,
    created_at DOUBLE PRECISION NOT NULL
);

CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    user_id TEXT,
    team TEXT,
    settings TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION,
    disabled_at DOUBLE PRECISION,
    rotated_from TEXT,
    grace_until DOUBLE PRECISION
);
CREATE INDEX keys_user ON keys (user_id);

CREATE TABLE identity_version (version BIGINT NOT NULL);
INSERT INTO identity_version VALUES (0);
