ALTER TABLE recipes
    ADD COLUMN calories INTEGER,
    ADD COLUMN protein NUMERIC(8, 2),
    ADD COLUMN fat NUMERIC(8, 2),
    ADD COLUMN carbs NUMERIC(8, 2);
