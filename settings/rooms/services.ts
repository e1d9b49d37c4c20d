import { z } from "zod";
import {
  address,
  databaseName,
  filePath,
  imageReference,
  partName,
  secretName,
  urlPath,
  variableName,
  volumeName,
} from "../identifiers.ts";
import { anyText, list, mapping, mistake, oneOf, optional, orText, strict, text, whole } from "../shapes.ts";
import { duration, megabytes, port } from "../units.ts";
import { native } from "./native.ts";

const variable = z.union([z.string(), z.strictObject({ secret: secretName })], {
  error: "a text in quotes, or { secret: NAME } with the name of an entry of rollback:secrets",
});

const headerName = text("a header, such as x-api-key", /^[A-Za-z0-9-]+$/);

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: "a text, a number, true, false or null to compare with",
});

const smokeTest = strict(
  {
    method: oneOf(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]).default("GET"),
    path: urlPath,
    status: whole("a status, 200 to 599", 200, 599).default(200),
    body: optional(anyText("a text to send")),
    json: optional(
      mapping(
        text("a path into the answer, such as items.0.id", /^[^\s.]+(\.[^\s.]+)*$/),
        scalar,
        "a mapping of paths into the answer to the values expected there, such as { items.0.id: 7 }",
      ),
    ),
    timeout: duration("1ms", "5m", "5s").prefault("5s"),
  },
  'a path, such as "/health", or a mapping with method, path, status, body, json, timeout',
).superRefine((test, context) => {
  if (test.body !== undefined && (test.method === "GET" || test.method === "HEAD")) {
    mistake(context, ["method"], `a ${test.method} sends no body; say method: POST, or leave the body out`);
  }
  if (test.json !== undefined && test.method === "HEAD") {
    mistake(context, ["json"], "the answer to HEAD has no body to compare; say method: GET");
  }
});

const smokeScript = strict(
  { path: filePath, timeout: duration("1s", "1h").prefault("60s"), image: optional(imageReference) },
  'a path, such as "./smoke.sh", or a mapping with path, timeout and image',
);

const errorLog = strict(
  {
    parts: list(text("a part of a log line", /\S/), "a list of parts of log lines").default([
      "ERROR",
      "FATAL",
      "PANIC",
      "panic:",
      "Traceback",
      "Unhandled",
      '"level":"error"',
      '"level":"fatal"',
    ]),
    allowed: optional(whole("a number of lines, 0 to 1000000", 0, 1_000_000)),
  },
  "a mapping with parts and allowed, such as { allowed: 0 }",
);

const reloadEndpoint = strict(
  { path: urlPath, headers: optional(mapping(headerName, variable, "a mapping of headers")) },
  'a path, such as "/admin/reload-config", or a mapping with path and headers',
);

const entry = strict({
  port,
  public: optional(strict({ port, address: address.default("127.0.0.1") })),
  database: optional(databaseName),
  health: urlPath,
  healthDeadline: duration("1s", "1h").prefault("60s"),
  smoke: list(orText("path", smokeTest), "a list of smoke tests").default([]),
  smokeScript: optional(orText("path", smokeScript)),
  errorLog: errorLog.prefault({}),
  replicas: whole("a number of containers, 1 to 50", 1, 50).default(1),
  env: optional(mapping(variableName, variable, "a mapping of environment variables")),
  reload: optional(orText("path", reloadEndpoint)),
  expectLog: list(text("a part of a log line", /\S/), "a list of parts of log lines").default([]),
  native: optional(native),
  memory: optional(megabytes(6)),
  volumes: optional(
    mapping(
      text("a path in the container, such as /app/media", /^\/(?!run\/rollback(?:\/|$))[^:,\0]*[^:,\0/]$/),
      volumeName,
      "a mapping of paths in the container to Docker volumes, such as { /app/media: media }",
    ),
  ),
  user: optional(
    text(
      "a user, such as 1000, 1000:1000 or app",
      /^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/,
    ),
  ),
  stopGrace: duration("1s", "10m").prefault("10s"),
}).superRefine((service, context) => {
  if (service.expectLog.length > 0 && service.reload === undefined) {
    mistake(
      context,
      ["expectLog"],
      "the log is read after a reload of flags, and this service has no `reload` path",
    );
  }
});

/** What runs, and what of it the gateway shows to the outside. */
export const services = { key: partName, entry, allowed: "a mapping of services (at least one)" };
