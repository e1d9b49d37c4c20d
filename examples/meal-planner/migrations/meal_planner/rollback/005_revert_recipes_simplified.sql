DROP TABLE recipes_simplified;
