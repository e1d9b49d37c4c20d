ALTER TABLE auto_meal_plans DROP COLUMN client_ref;
ALTER TABLE food_logs DROP COLUMN client_ref;
