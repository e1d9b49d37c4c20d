import type { Command } from "commander";
import { withClient } from "../../operations/database/connection.ts";
import { ownershipOf, prepareOutside } from "../../operations/migrations/outside.ts";
import { layoutReader } from "../../operations/migrations/layouts/index.ts";
import type { Client } from "pg";
import { common, settle, told } from "../outside.ts";
import type { Common } from "../outside.ts";
import { requireSome, wholeDays } from "../values.ts";
import { printArchives } from "./archives.ts";
import { printDraft } from "./draft.ts";
import type { DraftGiven } from "./draft.ts";
import { printPruned } from "./prune.ts";
import type { PruneGiven } from "./prune.ts";
import { printRestored } from "./restore.ts";
import type { RestoreGiven } from "./restore.ts";

/**
 * `rollback migrations draft|archives|restore|prune`: as the commands of these names for the databases of a stack, for one that
 * belongs to none.
 */
export function kept(group: Command): void {
  common(group.command("draft <version>"))
    .description("write the reversal of a migration that has none, proven on a scratch database")
    .option("--print", "print it, write nothing", false)
    .option("--unproven", "write it although it does not lead back to the schema before", false)
    .action((version: string, options: Common & DraftGiven) =>
      told(options, async () => {
        const { outside } = settle(options);
        const { server, database } = outside;
        const owner =
          outside.owner ?? (await onIt(options, async (client) => (await ownedBy(client, options)).owner));
        await printDraft({ server, database, owner, version }, options);
      }),
    );
  common(group.command("archives"))
    .description("what reversals took and kept, and what was put back")
    .option("--migration <version>", "only what the reversal of this version took")
    .action((options: Common & { readonly migration?: string }) =>
      told(options, () =>
        onLedger(options, (client) =>
          printArchives(client, { migration: options.migration, json: options.json }),
        ),
      ),
    );
  const restore = common(group.command("restore [archives...]"))
    .description("put archived rows and columns back; what was written since stays")
    .option("--migration <version>", "everything that reversals of this version took")
    .option("--overwrite", "also over what was written since", false)
    .option("--dry-run", "tell what would happen, change nothing", false)
    .action((ids: string[], options: Common & RestoreGiven) => {
      requireSome(restore, ids, options.migration, "archives by number, or --migration VERSION");
      return told(options, () => onLedger(options, (client) => printRestored(client, ids, options)));
    });
  const prune = common(group.command("prune [archives...]"))
    .description("remove archives for good; nothing else ever removes one")
    .option("--older-than <days>", "those made more than so many days ago", wholeDays)
    .option("--dry-run", "tell what would be removed, change nothing", false)
    .action((ids: string[], options: Common & PruneGiven) => {
      requireSome(prune, ids, options.olderThan, "archives by number, or --older-than DAYS");
      return told(options, () => onLedger(options, (client) => printPruned(client, ids, options)));
    });
}

function onIt<T>(options: Common, work: (client: Client) => Promise<T>): Promise<T> {
  const { server, database } = settle(options).outside;
  return withClient(server, database.name, work);
}

async function ownedBy(client: Client, options: Common): ReturnType<typeof ownershipOf> {
  return ownershipOf(client, await layoutReader(settle(options).outside.database));
}

/** With the ledger's schema there; refuses a database that a stack is in charge of. */
function onLedger<T>(options: Common, work: (client: Client) => Promise<T>): Promise<T> {
  return onIt(options, async (client) => {
    await prepareOutside(client, settle(options).outside.database.name, await ownedBy(client, options));
    return work(client);
  });
}
