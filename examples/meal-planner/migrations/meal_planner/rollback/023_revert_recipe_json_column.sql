DROP INDEX idx_auto_meal_plans_recipe_json;
ALTER TABLE auto_meal_plans DROP COLUMN recipe_json;
