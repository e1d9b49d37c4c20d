// v1.0.4: schema 5, recipes have a rating and the best come first.
export const version = "1.0.4";
export const moreColumns = ["rating"];
export const order = "rating DESC, created_at DESC, slug";
