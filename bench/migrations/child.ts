/**
 * One reversal in a process of its own, as it is inside a running `pulumi up`: programs loaded, nothing connected. Prints
 * one document: milliseconds, and bytes at rest and at the peak.
 */
import { placeOf } from "../../operations/database/url.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import { connector } from "../../operations/migrations/connect.ts";
import { loadParser } from "../../operations/migrations/sql/parse.ts";
import { databaseAt } from "../../test/support/migrations.ts";

const { server, database } = placeOf(process.env["DATABASE_URL"], "DATABASE_URL");
const folder = process.argv[2] ?? "";
await loadParser();
const rest = process.memoryUsage.rss();
const began = performance.now();
await changeSchema(
  {
    databases: [databaseAt(database, folder)],
    wanted: new Map([[database, "0"]]),
    release: "bench",
    owner: () => server.user,
  },
  connector(server),
);
const milliseconds = performance.now() - began;
// https://nodejs.org/api/process.html#processresourceusage: maxRSS is in kilobytes.
console.log(JSON.stringify({ milliseconds, rest, peak: process.resourceUsage().maxRSS * 1024 }));
