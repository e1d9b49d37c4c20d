-- Plans the planner computed for a day.

CREATE TABLE auto_meal_plans (
    id BIGSERIAL PRIMARY KEY,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    plan_date DATE NOT NULL,
    diet_principles TEXT[] NOT NULL DEFAULT '{}',
    recipe_ids TEXT[] NOT NULL,
    total_protein NUMERIC(8, 2) NOT NULL DEFAULT 0,
    total_fat NUMERIC(8, 2) NOT NULL DEFAULT 0,
    total_carbs NUMERIC(8, 2) NOT NULL DEFAULT 0,
    generated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    CONSTRAINT auto_meal_plans_have_recipes CHECK (cardinality(recipe_ids) BETWEEN 1 AND 12)
);

CREATE INDEX idx_auto_meal_plans_user_date ON auto_meal_plans (user_id, plan_date DESC);
CREATE INDEX idx_auto_meal_plans_generated_at ON auto_meal_plans (generated_at DESC);
