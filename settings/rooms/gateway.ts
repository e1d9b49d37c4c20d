import { z } from "zod";
import { filePath } from "../identifiers.ts";
import { mistake, optional, strict, text, whole } from "../shapes.ts";
import { duration } from "../units.ts";

const token = /^[A-Za-z0-9_-]{1,64}$/;

const sticky = strict(
  {
    cookie: optional(text("the name of a cookie", token)),
    header: optional(text("the name of a request header", token)),
  },
  "{ cookie: NAME } or { header: NAME }",
).transform(({ cookie, header }, context) => {
  if (cookie !== undefined && header === undefined) return { by: "cookie", name: cookie } as const;
  if (header !== undefined && cookie === undefined) return { by: "header", name: header } as const;
  mistake(context, [], "exactly one of cookie and header is allowed");
  return z.NEVER;
});

const existing = strict({
  folder: filePath,
  reload: z
    .array(text("one word of the command", /^[^\0]+$/), {
      error: 'a command as a list of words, such as ["nginx", "-s", "reload"]',
    })
    .min(1, { error: 'a command as a list of words, such as ["nginx", "-s", "reload"]' }),
});

/** How requests wait and where they go. */
export const gateway = strict({
  hold: duration("1s", "10m").prefault("30s"),
  held: whole("a number of requests, 1 to 1000000", 1, 1_000_000).default(10_000),
  drain: duration("0s", "10m").prefault("10s"),
  sticky: optional(sticky),
  existing: optional(existing),
}).prefault({});
