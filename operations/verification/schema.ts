import { withClient, type Server } from "../database/connection.ts";
import { layoutReader } from "../migrations/layouts/index.ts";
import { drift } from "../migrations/drift.ts";
import { currentVersions } from "../migrations/observe.ts";
import { connectorTo } from "../plan/schema.ts";
import type { Database, Settings } from "../../settings/types.ts";
import type { Check } from "./report.ts";

export interface SchemaQuestion {
  readonly settings: Settings;
  readonly server: Server;
  /** How the sessions call themselves. */
  readonly name: string;
  /** Version wanted, by database. */
  readonly wanted: ReadonlyMap<string, string>;
  /** Databases whose schema this run has changed: there the catalogue must be what the migrations leave. */
  readonly changed: ReadonlySet<string>;
}

/** Of each database: its version, that its history has no half-done migration, and the fingerprint of its catalogue. */
export async function schemaChecks(question: SchemaQuestion): Promise<Check[]> {
  const databases = [...question.settings.databases.values()];
  const versions = await currentVersions(connectorTo(question.server, question.name), databases);
  const all = databases.map(async (database): Promise<Check[]> => {
    const current = versions.get(database.name);
    const differences = current?.ledger === true ? await differencesIn(question, database) : undefined;
    return judgeSchema(database.name, {
      wanted: question.wanted.get(database.name),
      head: current?.head,
      applied: current?.applied.length ?? 0,
      dirty: current?.dirty ?? [],
      differences,
      changed: question.changed.has(database.name),
    });
  });
  return (await Promise.all(all)).flat();
}

async function differencesIn({ server, name }: SchemaQuestion, database: Database): Promise<string[]> {
  const reader = await layoutReader(database);
  return withClient(server, database.name, (client) => drift(client, reader), { applicationName: name });
}

/** What was found in one database. */
export interface SchemaFound {
  readonly wanted: string | undefined;
  readonly head: string | undefined;
  readonly applied: number;
  readonly dirty: readonly string[];
  /** In what the catalogue differs from what the ledger recorded last; undefined: no ledger yet. */
  readonly differences: readonly string[] | undefined;
  readonly changed: boolean;
}

/** The lines of the table about one database's schema. */
export function judgeSchema(database: string, seen: SchemaFound): Check[] {
  const { wanted, head, applied, dirty, differences, changed } = seen;
  const version = head ?? "0";
  return [
    {
      what: `schema ${database}`,
      found: version,
      wrong: wanted === undefined || version === wanted ? [] : [`not at ${wanted}`],
    },
    {
      what: `migration history ${database}`,
      found: `${applied} applied, the last ${head ?? "none"}`,
      wrong: dirty.length === 0 ? [] : [`begun and not finished: ${dirty.join(", ")}`],
    },
    ...(differences === undefined
      ? []
      : [
          {
            what: `catalogue ${database}`,
            found:
              differences.length === 0
                ? "the recorded fingerprint"
                : `changed by hand since: ${differences.join("; ")}`,
            wrong: changed && differences.length > 0 ? ["not what the migrations leave"] : [],
          },
        ]),
  ];
}
