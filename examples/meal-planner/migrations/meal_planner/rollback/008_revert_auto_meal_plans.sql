DROP TABLE auto_meal_plans;
