-- Changes of sources are in the application's log now; the trigger doubled every write.

DROP TRIGGER recipe_sources_audit_trigger ON recipe_sources;
DROP FUNCTION record_recipe_source_change();
DROP TABLE recipe_sources_audit;
