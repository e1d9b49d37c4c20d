CREATE TABLE ingredients (
    recipe_id UUID NOT NULL REFERENCES recipes (id) ON DELETE CASCADE,
    position SMALLINT NOT NULL CHECK (position > 0),
    note TEXT NOT NULL,
    quantity NUMERIC(10, 3),
    unit VARCHAR(32),
    PRIMARY KEY (recipe_id, position)
);
