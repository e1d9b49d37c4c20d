import { z } from "zod";
import { filePath } from "../identifiers.ts";
import { list, mistake, oneOf, optional, strict, text, whole } from "../shapes.ts";
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

function command(example: string) {
  const allowed = `a command as a list of words, such as ${example}`;
  return z.array(text("one word of the command", /^[^\0]+$/), { error: allowed }).min(1, { error: allowed });
}

const container = strict(
  {
    name: text("the name of a container", /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/),
    network: text(
      "the name of a Docker network with names of its own (not bridge, host or none)",
      /^(?!(?:bridge|host|none)$)[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
    ),
  },
  "a mapping with name and network, such as { name: edge, network: web }",
);

const existing = strict({
  folder: filePath,
  reload: command('["nginx", "-s", "reload"]'),
  test: optional(command('["nginx", "-t"]')),
  container: optional(container),
}).transform(({ folder, reload, test, container }, context) => {
  const known = test ?? testFor(reload);
  if (known !== undefined) return { folder, reload, test: known, container };
  mistake(
    context,
    ["test"],
    'missing; expected the command that tests the configuration, such as ["nginx", "-t"]: it cannot be told from `reload`',
  );
  return z.NEVER;
});

/** `… -t` where the reload is `… -s reload`; undefined: another kind of reload. */
function testFor(reload: readonly string[]): string[] | undefined {
  const at = reload.findIndex((word, n) => word === "-s" && reload[n + 1] === "reload");
  return at < 0 ? undefined : [...reload.slice(0, at), "-t", ...reload.slice(at + 2)];
}

const browsers = strict({
  clear: list(oneOf(["cache", "storage"]), "a list of cache and storage").default([]),
  cacheControl: optional(
    text("the value of a Cache-Control header, such as no-cache", /^[A-Za-z0-9=, -]{1,200}$/),
  ),
  for: duration("1s", "168h", "1h").prefault("1h"),
}).superRefine(({ clear, cacheControl }, context) => {
  if (clear.length > 0 || cacheControl !== undefined) return;
  mistake(
    context,
    [],
    "found neither clear nor cacheControl; say what browsers are told after code or schema changed",
  );
});

/** How requests wait and where they go. */
export const gateway = strict({
  hold: duration("1s", "10m").prefault("30s"),
  held: whole("a number of requests, 1 to 1000000", 1, 1_000_000).default(10_000),
  drain: duration("0s", "10m").prefault("10s"),
  sticky: optional(sticky),
  browsers: optional(browsers),
  existing: optional(existing),
}).prefault({});
