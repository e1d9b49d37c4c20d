import { withClient, type Server } from "../database/connection.ts";
import { compareKeyTables, tableFacts, type TableFacts } from "../database/tables.ts";
import type { Desired } from "../plan/desired.ts";
import { probe } from "../traffic/probe.ts";
import type { Settings, SmokeTest } from "../../settings/types.ts";
import { logChecks } from "./logs.ts";
import type { Check } from "./report.ts";
import { schemaChecks } from "./schema.ts";
import { scriptChecks } from "./script.ts";
import { judge } from "./smoke.ts";

export interface VerifyRequest {
  readonly settings: Settings;
  readonly desired: Desired;
  readonly router: string;
  readonly server: Server;
  /** Key tables as they were before the run, by database. */
  readonly tablesBefore: ReadonlyMap<string, ReadonlyMap<string, TableFacts>>;
  /** Databases whose schema this run has changed. */
  readonly changed: ReadonlySet<string>;
  /** How the sessions call themselves. */
  readonly name: string;
  /** When the switch began. */
  readonly since: Date;
}

/** Everything that proves the new state, one check a line; nothing is changed by it. */
export async function verify(request: VerifyRequest): Promise<Check[]> {
  const { settings, desired, server, name, changed, since } = request;
  const [schema, smoke, scripts, tables] = await Promise.all([
    schemaChecks({ settings, server, name, wanted: desired.schema, changed }),
    smokeChecks(request),
    scriptChecks(settings, desired.containers),
    tableChecks(request),
  ]);
  // Last, so that the errors which the tests provoked are seen as well.
  return [
    ...schema,
    ...smoke,
    ...scripts,
    ...tables,
    ...(await logChecks(settings, desired.containers, since)),
  ];
}

/** Every smoke test against every live container by itself, so that no healthy neighbour hides a sick one. */
async function smokeChecks({ settings, desired, router }: VerifyRequest): Promise<Check[]> {
  const live = desired.containers.filter(({ weight }) => weight > 0);
  const checks = await Promise.all(
    live.flatMap(({ service, release, replica, address, port }) => {
      const entry = settings.services.get(service);
      return (entry?.smoke ?? []).map(async (test): Promise<Check> => {
        const answer = await probe(router, {
          address,
          port,
          method: test.method,
          path: test.path,
          body: test.body,
          // Longer than allowed, so that a slow answer is told from none.
          timeoutMs: test.timeout + 5_000,
        });
        const wrong = answer.status === 0 ? [answer.error ?? "no answer"] : judge(test, answer);
        return {
          what: smokeName(service, release, replica, test),
          found: `${answer.status} in ${answer.ms} ms`,
          wrong,
        };
      });
    }),
  );
  return checks;
}

function smokeName(service: string, release: string, replica: number, { method, path }: SmokeTest): string {
  return `${service} ${release}${replica > 1 ? ` #${replica}` : ""}: ${method} ${path}`;
}

async function tableChecks({ settings, server, tablesBefore }: VerifyRequest): Promise<Check[]> {
  const all = await Promise.all(
    [...settings.databases.values()].map(async ({ name, keyTables }) => {
      if (keyTables.length === 0) return [];
      const tables = keyTables.map(({ table }) => table);
      const after = await withClient(server, name, (client) => tableFacts(client, tables));
      const before = tablesBefore.get(name) ?? new Map<string, TableFacts>();
      const losses = new Map(compareKeyTables(before, after, keyTables).map((loss) => [loss.table, loss]));
      return tables.map((table): Check => {
        const now = after.get(table);
        const was = before.get(table);
        const loss = losses.get(table);
        const found = `${now?.rows ?? "no"} rows${was === undefined ? "" : `, ${was.rows} before`}, ${megabytes(now?.bytes ?? 0)} MB${was === undefined ? "" : `, ${megabytes(was.bytes)} before`}`;
        return {
          what: `table ${name}.${table}`,
          found,
          wrong: loss === undefined ? [] : [`lost ${loss.lost} rows`],
        };
      });
    }),
  );
  return all.flat();
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
