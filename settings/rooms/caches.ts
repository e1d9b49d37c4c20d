import { z } from "zod";
import { imageReference, partName, volumeName } from "../identifiers.ts";
import { mistake, optional, strict, text } from "../shapes.ts";

/** Names of containers that a cache's would collide with. */
const taken = ["postgres", "door", "router"];

/** Where files are: never the volume's whole content by accident, and never a way out of it. */
const glob = text(
  "a pattern of paths within the volume, such as thumbs/** or pages/*.html, without a leading / and without ..",
  /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\0\n]*[^\0\n/]$/,
);

const entry = strict({
  pattern: optional(text('a pattern of keys, such as "session:*"', /\S/)),
  all: optional(
    z.literal(true, { error: "true (everything is cleared), or leave it out and say a pattern" }),
  ),
  image: optional(imageReference),
  volume: optional(volumeName),
  files: optional(glob),
}).transform(({ pattern, all, image, volume, files }, context): CacheEntry => {
  if (volume !== undefined || files !== undefined) {
    for (const [key, value] of Object.entries({ pattern, all, image }))
      if (value !== undefined)
        mistake(context, [key], `found beside files in a volume, which are no server; leave it out`);
    if (volume !== undefined && files !== undefined) return { kind: "files", volume, files };
    if (volume === undefined)
      mistake(context, ["volume"], "missing; expected the volume that the files are in");
    else mistake(context, ["files"], "missing; expected a pattern of paths, such as thumbs/**");
    return z.NEVER;
  }
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
  return { kind: "redis", pattern, all: all === true, image: image ?? "rollback-redis:8" };
});

export type CacheEntry =
  | {
      readonly kind: "redis";
      readonly pattern: string | undefined;
      readonly all: boolean;
      readonly image: string;
    }
  | { readonly kind: "files"; readonly volume: string; readonly files: string };

/** Redis servers of this stack and files in volumes, and what of them is cleared when code or schema changes. */
export const caches = {
  key: partName.refine((name) => !taken.includes(name), { error: `any name but ${taken.join(", ")}` }),
  entry,
  allowed: "a mapping of caches",
};
