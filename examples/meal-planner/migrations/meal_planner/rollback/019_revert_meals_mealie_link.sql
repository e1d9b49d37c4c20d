ALTER TABLE meals DROP COLUMN mealie_slug;
