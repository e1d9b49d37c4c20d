import { Cron } from "croner";
import { z } from "zod";
import { address, host, imageReference, roleName, secretName, volumeName } from "../identifiers.ts";
import { mapping, mistake, oneOf, optional, orText, strict, text, whole } from "../shapes.ts";
import { megabytes, port } from "../units.ts";

/** Image of our PostgreSQL, also the client tools for a server that is not ours. */
export const defaultServerImage = "rollback-postgres:17.1";
const image = imageReference.default(defaultServerImage);

const cronAllowed = 'a cron expression of five fields, such as "30 2 * * *", or @daily';

/** A time table in cron's notation. */
export const cron = text(cronAllowed, /^(@[a-z]+|\S+( +\S+){4})$/).refine(isCron, { error: cronAllowed });

function isCron(expression: string): boolean {
  try {
    return new Cron(expression, { paused: true }).nextRun() !== null;
  } catch {
    // croner says no by throwing; the user is told what is allowed instead.
    return false;
  }
}

/** A volume by name, or a folder: a text that begins with `/` or `.`. */
const repository = text(
  "a Docker volume's name, or a folder as an absolute path or one beginning with ./",
  /^([A-Za-z0-9][A-Za-z0-9_.-]{1,127}|\/[^\0]*|\.\.?\/[^\0]*)$/,
);

const secretReference = strict({ secret: secretName });

const certificate = text(
  "a certificate in PEM, from -----BEGIN CERTIFICATE----- on",
  /^\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----[A-Za-z0-9+/=\s-]*$/,
);

const s3 = strict({
  bucket: text("the name of a bucket, 3 to 63 of a-z 0-9 . -", /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
  endpoint: host,
  port: port.default(443),
  region: text("the name of a region, such as eu-central-1", /^[A-Za-z0-9-]{1,64}$/),
  path: text("a path that begins with /", /^(\/[A-Za-z0-9_.-]+)+$/).default("/rollback"),
  style: oneOf(["host", "path"]).default("host"),
  key: secretReference,
  keySecret: secretReference,
  verifyTls: z.boolean({ error: "true or false" }).default(true),
  certificate: optional(certificate),
});

const backup = strict({
  repository: optional(repository),
  s3: optional(s3),
  schedule: optional(orText("full", strict({ full: cron, diff: optional(cron), incr: optional(cron) }))),
  retention: strict({
    dumps: whole("a number of dumps to keep, 1 to 1000", 1, 1000).default(10),
    full: whole("a number of full base backups to keep, 1 to 1000", 1, 1000).default(2),
  }).prefault({}),
  encryption: optional(secretReference),
  changes: optional(orText("keep", strict({ keep: megabytes(64) }))),
}).prefault({});

/** Settings of the server that this program makes itself; another value would break what it promises. */
const ownSettings = new Set([
  ...["data_directory", "config_file", "hba_file", "ident_file", "external_pid_file"],
  ...["listen_addresses", "port", "unix_socket_directories", "password_encryption"],
  ...[
    "archive_mode",
    "archive_timeout",
    "archive_command",
    "archive_library",
    "restore_command",
    "primary_conninfo",
  ],
]);

const serverSettings = mapping(
  text(
    "the name of a server setting, such as work_mem",
    /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$/,
  ),
  z.union([z.string(), z.number(), z.boolean()], { error: "a text, a number, true or false" }),
  "a mapping of server settings, such as { work_mem: 64MB }",
).superRefine((given, context) => {
  for (const name of Object.keys(given)) {
    const lower = name.toLowerCase();
    if (!ownSettings.has(lower) && !lower.startsWith("recovery_target")) continue;
    mistake(context, [name], "this server setting is made by the program itself and cannot be configured");
  }
});

/** PostgreSQL in a container of this stack. */
export const ownCluster = strict({
  image,
  volume: volumeName,
  port: port.default(5432),
  address: address.default("127.0.0.1"),
  settings: optional(serverSettings),
  backup,
});

const external = strict({
  host,
  port: port.default(5432),
  user: roleName,
  password: strict(
    { secret: secretName },
    "{ secret: NAME } with the name of an entry of rollback:secrets (a password in clear would stay in the file and in the state)",
  ),
  sslmode: oneOf(["disable", "require", "verify-ca", "verify-full"]).default("verify-full"),
  hostForContainers: optional(host),
}).superRefine((server, context) => {
  if (server.hostForContainers !== undefined || !/^(localhost|127\.|::1$)/.test(server.host)) return;
  mistake(
    context,
    ["hostForContainers"],
    `missing; within a container ${server.host} is the container itself: say how containers reach the server`,
  );
});

/** A PostgreSQL that is somebody else's. */
export const externalCluster = strict({ external, image, backup });

/** Which of the two a configuration means. */
export function isExternal(raw: unknown): boolean {
  return typeof raw === "object" && raw !== null && "external" in raw;
}
