-- How an entry came to be: typed in, picked from the foods, or taken from a recipe.

CREATE TYPE log_source_type AS ENUM ('manual', 'food', 'recipe');

ALTER TABLE food_logs
    ADD COLUMN source_type log_source_type NOT NULL DEFAULT 'manual',
    ADD COLUMN source_id TEXT;
