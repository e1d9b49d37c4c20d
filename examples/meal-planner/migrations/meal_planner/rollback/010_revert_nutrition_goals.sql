DROP TABLE nutrition_goals;
