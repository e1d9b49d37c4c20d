import { secretName } from "../identifiers.ts";
import { mapping, text } from "../shapes.ts";

/** The only key that holds secrets. What is found here is never repeated in a message. */
export const secrets = mapping(
  secretName,
  text("a text that is not empty", /^[^]+$/),
  "a mapping of names to secrets",
);

/** Shortest secret `db`: the passwords of all roles are derived from it, and it is never typed by hand. */
export const shortestKey = 16;
