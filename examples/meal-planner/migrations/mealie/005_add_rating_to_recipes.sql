-- Older releases do not know the column and need not: it has a default and nobody selects *.

ALTER TABLE recipes ADD COLUMN rating SMALLINT NOT NULL DEFAULT 0 CHECK (rating BETWEEN 0 AND 5);

CREATE INDEX idx_recipes_rating ON recipes (rating DESC);
