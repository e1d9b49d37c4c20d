/**
 * One reversal in a process of its own. `planned` as argument: as it is inside a running `pulumi up`, where the preflight has
 * planned the same change over connections of its own before anything is stopped; without it nothing was done before. Programs are
 * loaded, nothing is connected. Prints one document: milliseconds of the plan and of the reversal, and bytes at rest and at
 * the peak.
 */
import { placeOf } from "../../operations/database/url.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import { connector } from "../../operations/migrations/connect.ts";
import { observer } from "../../operations/migrations/observer.ts";
import { planSchemaChange } from "../../operations/migrations/schema-plan.ts";
import { loadParser } from "../../operations/migrations/sql/parse.ts";
import { databaseAt } from "../../test/support/migrations.ts";

const { server, database } = placeOf(process.env["DATABASE_URL"], "DATABASE_URL");
const [, , folder = "", planned] = process.argv;
const request = {
  databases: [databaseAt(database, folder)],
  wanted: new Map([[database, "0"]]),
  release: "bench",
  owner: () => server.user,
};
const open = connector(server);
await loadParser();
const start = performance.now();
if (planned !== undefined) await planSchemaChange({ ...request, judge: true, observe: observer(open) });
const rest = process.memoryUsage.rss();
const began = performance.now();
await changeSchema(request, open);
const milliseconds = performance.now() - began;
// https://nodejs.org/api/process.html#processresourceusage: maxRSS is in kilobytes.
const peak = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ plan: began - start, milliseconds, rest, peak }));
