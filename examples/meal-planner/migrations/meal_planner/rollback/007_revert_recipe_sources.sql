DROP TABLE recipe_sources;
DROP TYPE recipe_source_kind;
