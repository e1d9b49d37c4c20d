import { databaseName, tableName } from "../identifiers.ts";
import { list, mistake, optional, strict, text } from "../shapes.ts";

const fileName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** Rows for a database that is made anew. A dump is named, never "the newest": every `up` may take one of the damaged database. */
const load = strict({
  dump: optional(text("the name of a dump", fileName)),
  salvage: optional(text("the name of a pack, as `rollback salvage list` shows it", fileName)),
  tables: optional(list(tableName, "a list of tables")),
}).superRefine(({ dump, salvage }, context) => {
  if (dump === undefined && salvage === undefined)
    mistake(context, [], "names neither `dump` nor `salvage`; leave `load` out to load no rows");
});

/** The emergency reset: a database made anew beside the one in use, or changed back for the one that was kept. */
export const reset = strict({
  database: databaseName,
  keepAs: databaseName,
  back: optional(databaseName),
  load: optional(load),
}).superRefine(({ database, keepAs, back, load: rows }, context) => {
  if (keepAs === database)
    mistake(
      context,
      ["keepAs"],
      `found "${keepAs}", which is \`database\`; the old one is kept under another name`,
    );
  if (back === undefined) return;
  if (back === database || back === keepAs)
    mistake(
      context,
      ["back"],
      `found "${back}", which is \`${back === database ? "database" : "keepAs"}\`; name the database that was kept`,
    );
  if (rows !== undefined)
    mistake(context, ["load"], "nothing is loaded into a database that was kept: leave it out beside `back`");
});
