DROP FUNCTION goal_progress(BIGINT, DATE);
DROP VIEW daily_nutrition;
