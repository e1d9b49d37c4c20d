DROP TABLE food_nutrients;
DROP TABLE foods;
DROP TABLE nutrients;
