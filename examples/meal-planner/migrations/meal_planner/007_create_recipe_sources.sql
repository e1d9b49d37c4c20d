-- Where recipes come from.

CREATE TYPE recipe_source_kind AS ENUM ('local', 'api', 'scraper');

CREATE TABLE recipe_sources (
    id SERIAL PRIMARY KEY,
    name VARCHAR(100) NOT NULL UNIQUE,
    type recipe_source_kind NOT NULL DEFAULT 'local',
    config JSONB NOT NULL DEFAULT '{}',
    enabled BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW()
);

CREATE INDEX idx_recipe_sources_type ON recipe_sources (type) WHERE enabled;

CREATE TRIGGER recipe_sources_updated_at BEFORE UPDATE ON recipe_sources
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
