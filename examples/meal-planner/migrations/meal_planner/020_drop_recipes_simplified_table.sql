DROP TABLE IF EXISTS recipes_simplified CASCADE;
