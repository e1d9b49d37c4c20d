DROP TABLE recipe_tags;
DROP TABLE tags;
