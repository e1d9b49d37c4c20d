-- Meals a user put together; what /api/meals shows while the Mealie flag is off.

CREATE TABLE meals (
    id BIGSERIAL PRIMARY KEY,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    name VARCHAR(255) NOT NULL,
    slot meal_slot NOT NULL,
    calories INTEGER NOT NULL CHECK (calories >= 0),
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW()
);

CREATE INDEX idx_meals_user ON meals (user_id);

CREATE TRIGGER meals_updated_at BEFORE UPDATE ON meals
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
