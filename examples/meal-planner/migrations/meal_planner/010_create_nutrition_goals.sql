-- Daily targets, one row per user.

CREATE TABLE nutrition_goals (
    user_id BIGINT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    calories INTEGER NOT NULL DEFAULT 2000 CHECK (calories BETWEEN 800 AND 8000),
    protein NUMERIC(6, 1) NOT NULL DEFAULT 75,
    fat NUMERIC(6, 1) NOT NULL DEFAULT 70,
    carbs NUMERIC(6, 1) NOT NULL DEFAULT 260,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW()
);

CREATE TRIGGER nutrition_goals_updated_at BEFORE UPDATE ON nutrition_goals
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
