// v1.0.3: schema 4. Also runs on 5, whose column it does not ask for.
export const version = "1.0.3";
export const moreColumns = [];
export const order = "created_at DESC, slug";
