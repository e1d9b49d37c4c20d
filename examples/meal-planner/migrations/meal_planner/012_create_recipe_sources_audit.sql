-- Who changed which source of recipes, written by a trigger.

CREATE TABLE recipe_sources_audit (
    id BIGSERIAL PRIMARY KEY,
    source_id INTEGER NOT NULL,
    action VARCHAR(10) NOT NULL CHECK (action IN ('INSERT', 'UPDATE', 'DELETE')),
    before JSONB,
    after JSONB,
    changed_by TEXT NOT NULL DEFAULT CURRENT_USER,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW()
);

CREATE INDEX idx_recipe_sources_audit_source ON recipe_sources_audit (source_id, changed_at DESC);

CREATE FUNCTION record_recipe_source_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recipe_sources_audit (source_id, action, before, after)
    VALUES (
        CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END,
        TG_OP,
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
        CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
    );
    RETURN NULL;
END;
$$;

CREATE TRIGGER recipe_sources_audit_trigger AFTER INSERT OR UPDATE OR DELETE ON recipe_sources
    FOR EACH ROW EXECUTE FUNCTION record_recipe_source_change();
