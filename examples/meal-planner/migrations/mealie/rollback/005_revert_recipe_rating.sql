DROP INDEX idx_recipes_rating;
ALTER TABLE recipes DROP COLUMN rating;
