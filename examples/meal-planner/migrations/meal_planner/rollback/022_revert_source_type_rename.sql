ALTER TYPE log_source_type RENAME VALUE 'mealie_recipe' TO 'recipe';
ALTER INDEX idx_recipe_sources_source_type RENAME TO idx_recipe_sources_type;
ALTER TABLE recipe_sources RENAME COLUMN source_type TO type;
