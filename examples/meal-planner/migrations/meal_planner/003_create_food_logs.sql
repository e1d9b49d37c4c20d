-- What was eaten. The busiest table: one row per entry.

CREATE TYPE meal_slot AS ENUM ('breakfast', 'lunch', 'dinner', 'snack');

CREATE TABLE food_logs (
    id BIGSERIAL PRIMARY KEY,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE, -- null: entered without an account
    logged_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    slot meal_slot NOT NULL,
    food_name VARCHAR(255) NOT NULL,
    food_id BIGINT REFERENCES foods (id) ON DELETE SET NULL,
    servings NUMERIC(6, 2) NOT NULL DEFAULT 1 CHECK (servings > 0),
    calories INTEGER NOT NULL CHECK (calories >= 0)
);

CREATE INDEX idx_food_logs_user_logged_at ON food_logs (user_id, logged_at DESC);
