ALTER TABLE recipes
    DROP COLUMN carbs,
    DROP COLUMN fat,
    DROP COLUMN protein,
    DROP COLUMN calories;
