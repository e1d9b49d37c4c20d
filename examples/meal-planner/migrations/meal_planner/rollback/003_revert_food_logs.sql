DROP TABLE food_logs;
DROP TYPE meal_slot;
