DROP TABLE meal_favourites;
