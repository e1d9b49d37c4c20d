-- Meals a user marked.

CREATE TABLE meal_favourites (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    meal_id BIGINT NOT NULL REFERENCES meals (id) ON DELETE CASCADE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    PRIMARY KEY (user_id, meal_id)
);

CREATE INDEX idx_meal_favourites_meal ON meal_favourites (meal_id);
