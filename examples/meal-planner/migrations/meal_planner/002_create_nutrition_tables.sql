-- Foods and what is in them, in the shape of the USDA FoodData Central export.

CREATE TABLE nutrients (
    id INTEGER PRIMARY KEY,
    name VARCHAR(100) NOT NULL UNIQUE,
    unit VARCHAR(10) NOT NULL
);

CREATE TABLE foods (
    id BIGSERIAL PRIMARY KEY,
    fdc_id INTEGER UNIQUE,
    description TEXT NOT NULL,
    food_category VARCHAR(100),
    serving_grams NUMERIC(8, 2) NOT NULL DEFAULT 100 CHECK (serving_grams > 0),
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW()
);

CREATE TABLE food_nutrients (
    food_id BIGINT NOT NULL REFERENCES foods (id) ON DELETE CASCADE,
    nutrient_id INTEGER NOT NULL REFERENCES nutrients (id),
    amount NUMERIC(12, 4) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (food_id, nutrient_id)
);

CREATE INDEX idx_foods_description ON foods (lower(description) text_pattern_ops);
CREATE INDEX idx_food_nutrients_nutrient ON food_nutrients (nutrient_id);
