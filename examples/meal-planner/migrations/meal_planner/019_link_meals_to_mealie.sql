-- The recipe in Mealie that a meal was made from; the last step before our own recipes go.

ALTER TABLE meals ADD COLUMN mealie_slug VARCHAR(255);

CREATE UNIQUE INDEX idx_meals_user_mealie_slug ON meals (user_id, mealie_slug) WHERE mealie_slug IS NOT NULL;
