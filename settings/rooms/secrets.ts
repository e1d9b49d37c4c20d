import { secretName } from "../identifiers.ts";
import { mapping, text } from "../shapes.ts";

const allowed =
  "a mapping of names to secrets; they are set with `pulumi config set --secret --path rollback:secrets.NAME`";

/** The only key that holds secrets. What is found here is never repeated in a message. */
export const secrets = mapping(secretName, text("a text that is not empty", /^[^]+$/), allowed);

/** Shortest secret `db`: the passwords of all roles are derived from it, and it is never typed by hand. */
export const shortestKey = 16;
