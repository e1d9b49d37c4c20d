import { address, filePath, host } from "../identifiers.ts";
import { optional, strict, text } from "../shapes.ts";
import { port } from "../units.ts";

const absolutePath = text(
  "an absolute path on the service's host",
  /^\/(?:[A-Za-z0-9._+@-]+\/)*[A-Za-z0-9._+@-]+$/,
);

const userName = text("the name of a user", /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/);

/** Another machine, reached over SSH. */
const remote = strict({
  address,
  user: optional(userName),
  port: port.default(22),
  key: optional(filePath),
  knownHosts: optional(filePath),
  reach: optional(host),
});

/** A service that runs as a systemd unit from a folder of the release instead of in a container. */
export const native = strict({
  unit: text(
    "the name of a template unit of systemd, such as meal-planner-api@.service, or one with ${release} in it, such as meal-planner-${release}.service: releases run side by side, so each has a unit of its own",
    /^[A-Za-z0-9:_.\\-]{1,150}(?:@|@?\$\{release\}[A-Za-z0-9:_.\\-]{0,50})\.service$/,
  ),
  directory: absolutePath,
  host: optional(remote),
});
