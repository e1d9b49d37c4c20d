import type { Database } from "../../settings/types.ts";
import type { CatalogueChanges } from "./catalogue/changes.ts";
import type { Connect } from "./connect.ts";
import { dependentsOf } from "./dependents-facts.ts";
import type { Dependent } from "./dependents-facts.ts";
import type { HalfDetached } from "./detach.ts";
import { halfDetached } from "./detach.ts";
import { drift } from "./drift.ts";
import { unfinished } from "./failures.ts";
import { layoutReader } from "./layouts/index.ts";
import { recordedChanges } from "./ledger/write.ts";
import { observeDatabase, tableSizes } from "./observe.ts";
import type { TableSize } from "./observe.ts";
import { programFacts } from "./preparable-facts.ts";
import type { ProgramFacts } from "./preparable-facts.ts";
import { relationsOf } from "./relations.ts";
import type { Relation } from "./relations.ts";
import { valueFacts } from "./required-values.ts";
import type { ValueFact, Wanted } from "./required-values.ts";
import { freshConnections } from "./sessions.ts";
import type { Lend } from "./sessions.ts";
import type { Drop } from "./sql/drops.ts";
import type { Work } from "./sql/work.ts";
import { preparedTransactions } from "./two-phase.ts";
import type { Observed, TableName } from "./types.ts";
import { workFacts } from "./work-facts.ts";
import type { WorkFact } from "./work-facts.ts";

/** How the planner sees the world; `observer` makes the one that asks the databases. */
export interface Observer {
  /** Those of the partitions, that a DETACH … CONCURRENTLY which was cut short has left half detached. */
  halfDetached(
    database: Database,
    partitions: readonly TableName[],
  ): Promise<ReadonlyMap<string, HalfDetached>>;
  observe(database: Database): Promise<Observed>;
  /** What was changed by hand since the last run, for people. */
  drift(database: Database): Promise<string[]>;
  sizes(database: Database, tables: readonly TableName[]): Promise<Map<string, TableSize>>;
  /** Those of the tables that exist, and whose they are; `owner` is the role that migrations run as. */
  relations(database: Database, owner: string, tables: readonly TableName[]): Promise<Relation[]>;
  /** What the catalogue says of works, in their order. */
  works(database: Database, works: readonly Work[]): Promise<WorkFact[]>;
  /** For columns that a plan adds NOT NULL without a default: which rows have no value. */
  values(
    database: Database,
    wanted: readonly Wanted[],
    ledger: boolean,
  ): Promise<readonly (ValueFact | undefined)[]>;
  /** What depends on each of the things and does not go with it. */
  dependents(database: Database, drops: readonly Drop[]): Promise<Dependent[][]>;
  /** What migrations changed in the catalogue, by their ids in the ledger, where it is known. */
  changes(database: Database, ids: readonly string[]): Promise<ReadonlyMap<string, CatalogueChanges>>;
  /** What runs when tables are written to or the schema is changed. */
  programs(database: Database, written: readonly TableName[]): Promise<ProgramFacts>;
}

/** An observer with a connection for each question. */
export function observer(open: Connect): Observer {
  const lend = freshConnections(open);
  return {
    ...observerOver(lend),
    observe: (database) =>
      lend(database.name, async (client) => {
        const [left] = await preparedTransactions(client, [database.name]);
        // Tells the plan of a preview, too, that what it sees is about to change.
        if (left !== undefined) throw unfinished([database.name], undefined);
        return observeDatabase(client, database);
      }),
  };
}

/** An observer over lent connections, to databases in which nothing is left to be recovered. */
export function observerOver(lend: Lend): Observer {
  return {
    observe: (database) => lend(database.name, (client) => observeDatabase(client, database)),
    drift: (database) => lend(database.name, async (client) => drift(client, await layoutReader(database))),
    sizes: (database, tables) => lend(database.name, (client) => tableSizes(client, tables)),
    halfDetached: (database, partitions) =>
      lend(database.name, async (client) => halfDetached(client, await layoutReader(database), partitions)),
    relations: (database, owner, tables) =>
      lend(database.name, (client) => relationsOf(client, owner, tables)),
    works: (database, works) => lend(database.name, (client) => workFacts(client, works)),
    values: (database, wanted, ledger) => lend(database.name, (client) => valueFacts(client, wanted, ledger)),
    changes: (database, ids) => lend(database.name, (client) => recordedChanges(client, ids)),
    dependents: (database, drops) => lend(database.name, (client) => dependentsOf(client, drops)),
    programs: (database, written) => lend(database.name, (client) => programFacts(client, written)),
  };
}
