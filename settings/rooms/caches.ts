import { z } from "zod";
import { imageReference, partName } from "../identifiers.ts";
import { mistake, optional, strict, text } from "../shapes.ts";

/** Names of containers that a cache's would collide with. */
const taken = ["postgres", "door", "router"];

const entry = strict({
  pattern: optional(text('a pattern of keys, such as "session:*"', /\S/)),
  all: optional(
    z.literal(true, { error: "true (everything is cleared), or leave it out and say a pattern" }),
  ),
  image: imageReference.default("rollback-redis:8"),
}).superRefine(({ pattern, all }, context) => {
  if (pattern === undefined && all === undefined) {
    mistake(
      context,
      [],
      "found neither pattern nor all; say what is cleared when code or schema changes: a pattern, or all: true",
    );
  }
  if (pattern !== undefined && all !== undefined) {
    mistake(
      context,
      ["all"],
      "found beside a pattern; allowed: either a pattern, or all: true, which clears everything",
    );
  }
});

/** Redis servers of this stack, and what of them is cleared when code or schema changes. */
export const caches = {
  key: partName.refine((name) => !taken.includes(name), { error: `any name but ${taken.join(", ")}` }),
  entry,
  allowed: "a mapping of caches",
};
