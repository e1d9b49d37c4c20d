DROP TABLE meal_selections;
