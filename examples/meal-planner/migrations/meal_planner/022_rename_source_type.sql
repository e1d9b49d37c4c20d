-- One name for one thing: both tables say source_type, and a recipe's source says whose recipe it is.
-- Only the catalogue changes, no row is rewritten. A release that does not know the new names fails at once.

ALTER TABLE recipe_sources RENAME COLUMN type TO source_type;
ALTER INDEX idx_recipe_sources_type RENAME TO idx_recipe_sources_source_type;
ALTER TYPE log_source_type RENAME VALUE 'recipe' TO 'mealie_recipe';
