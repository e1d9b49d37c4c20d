-- Our own recipes, before Mealie kept them.

CREATE TABLE recipes_simplified (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL UNIQUE,
    calories INT NOT NULL,
    protein INT NOT NULL,
    carbs INT NOT NULL,
    fat INT NOT NULL,
    verified BOOLEAN DEFAULT FALSE,
    branded BOOLEAN DEFAULT FALSE,
    category VARCHAR(100) NOT NULL,
    tags TEXT,
    description TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW()
);

CREATE INDEX idx_recipes_simplified_protein ON recipes_simplified (protein);
CREATE INDEX idx_recipes_simplified_fat ON recipes_simplified (fat);
CREATE INDEX idx_recipes_simplified_category ON recipes_simplified (category);
CREATE INDEX idx_recipes_simplified_verified ON recipes_simplified (verified);
CREATE INDEX idx_recipes_simplified_branded ON recipes_simplified (branded);
