-- The dishes of a plan, in order.

CREATE TABLE meal_selections (
    id BIGSERIAL PRIMARY KEY,
    plan_id BIGINT NOT NULL REFERENCES auto_meal_plans (id) ON DELETE CASCADE,
    slot meal_slot NOT NULL,
    position SMALLINT NOT NULL CHECK (position > 0),
    recipe_name VARCHAR(255) NOT NULL,
    servings NUMERIC(6, 2) NOT NULL DEFAULT 1 CHECK (servings > 0),
    UNIQUE (plan_id, position)
);
