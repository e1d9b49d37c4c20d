-- The figures of the dashboard: per day, and how far the goal is.

CREATE VIEW daily_nutrition AS
SELECT
    user_id,
    (logged_at AT TIME ZONE 'UTC')::date AS day,
    sum(calories) AS calories,
    sum(protein) AS protein,
    sum(fat) AS fat,
    sum(carbs) AS carbs,
    count(*) AS entries
FROM food_logs
GROUP BY user_id, (logged_at AT TIME ZONE 'UTC')::date;

CREATE FUNCTION goal_progress(for_user BIGINT, on_day DATE)
RETURNS TABLE (calories_share NUMERIC, protein_share NUMERIC)
LANGUAGE sql STABLE AS $$
    SELECT
        round(coalesce(d.calories, 0)::numeric / g.calories, 3),
        round(coalesce(d.protein, 0) / g.protein, 3)
    FROM nutrition_goals g
    LEFT JOIN daily_nutrition d ON d.user_id = g.user_id AND d.day = on_day
    WHERE g.user_id = for_user
$$;
