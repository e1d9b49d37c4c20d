import { z } from "zod";
import {
  digest,
  databaseName,
  imageReference,
  partName,
  releaseName,
  variableName,
  version,
} from "../identifiers.ts";
import { port } from "../units.ts";
import { anyText, mapping, mistake, optional, strict, text } from "../shapes.ts";

const image = strict({
  image: optional(imageReference),
  digest: optional(digest),
  flags: optional(mapping(variableName, anyText("a text"), "a mapping of flags to texts")),
  port: optional(port),
}).superRefine((service, context) => {
  if (service.image === undefined) return;
  const tag = /:([^:/]+)$/.exec(service.image)?.[1] ?? "latest";
  if (tag !== "latest" || service.digest !== undefined) return;
  mistake(
    context,
    ["image"],
    `found ${JSON.stringify(service.image)}, which means another image after the next build, so that this release could not be put back; give it a tag of its own, or add its digest`,
  );
});

/** `22..23` or `22`; by position in the migration order, both ends included. */
const range = text(
  'a version or a range of versions, such as "22" or "22..23"',
  /^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*(?:\.\.[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*)?$/,
).transform((given, context) => {
  const [from = given, to = from] = given.split("..");
  if (!(/^\d+$/.test(from) && /^\d+$/.test(to)) || BigInt(from) <= BigInt(to)) return { from, to };
  context.addIssue({ code: "custom", message: `the older version first: "${to}..${from}"` });
  return z.NEVER;
});

const entry = strict({
  services: mapping(partName, image, "a mapping of services to their images"),
  schema: optional(mapping(databaseName, version, "a mapping of databases to schema versions")),
  compatible: optional(mapping(databaseName, range, "a mapping of databases to versions or ranges")),
});

/** The catalogue: what can be live. */
export const releases = {
  key: releaseName,
  entry,
  allowed: "a mapping of releases (at least one) to their services and schema",
};
