import { randomBytes } from "node:crypto";
import { archiveSettings } from "../../settings/archive.ts";
import { stackLabel } from "../../settings/names.ts";
import { parseSettings } from "../../settings/parse.ts";
import { rolePassword, scramVerifier } from "../../settings/secrets.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { checkArchive, configureServer, prepareArchive } from "../../operations/archive/set-up.ts";
import { waitUntilReady, withClient } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { access } from "../../operations/plan/access.ts";
import { stackConfiguration } from "../../examples/meal-planner/stack.ts";
import { freePorts } from "./free-ports.ts";
import { removeStack } from "./stack-docker.ts";
import { volumeInMemory } from "./volume-in-memory.ts";

/** The server of a stack as a stack sets it up, with its archive and a base backup, and nothing else of the stack. */
export interface ArchivedServer {
  readonly settings: Settings;
  readonly container: string;
  /** Runs statements as administrator, each in a transaction of its own; returns the last one's rows. */
  query(database: string, ...statements: string[]): Promise<Record<string, unknown>[]>;
  /** Position of the WAL now. */
  position(): Promise<string>;
  /** Removes everything that carries the stack's label. */
  cleanup(): Promise<void>;
}

/**
 * Starts it with two empty databases, `meal_planner` and `mealie`. Needs the image `rollback-postgres:17.1`. `sizes`: volumes in
 * memory and of this size, e.g. `64m`.
 */
export async function startArchivedServer(
  sizes: { readonly data?: string; readonly dumps?: string } = {},
): Promise<ArchivedServer> {
  const project = `rbt-${randomBytes(3).toString("hex")}`;
  const [postgres = 0] = await freePorts(1);
  const volumes = { data: `${project}-pgdata-1`, dumps: `${project}-dumps` };
  const values = stackConfiguration({ live: { "1.2.0": 100 }, redis: false, volumes, ports: { postgres } });
  const settings = parseSettings({
    ...{ project, stack: "test", folder: process.cwd(), secretKeys: ["secrets"] },
    values: {
      ...Object.fromEntries(
        Object.entries(values).map(([key, value]) => [key.replace("rollback:", ""), value]),
      ),
      cluster: {
        ...values["rollback:cluster"],
        backup: { repository: volumes.dumps, schedule: "0 3 * * *" },
      },
      secrets: { db: randomBytes(24).toString("hex"), apiKey: randomBytes(24).toString("hex") },
    },
  });
  const { cluster, secrets } = settings;
  if (cluster.kind !== "own") throw new Error("the example has a server of its own");
  const container = stackNames(settings).postgres;
  const server = access(settings);
  const cleanup = (): Promise<void> => removeStack(stackLabel(settings), Object.values(volumes));
  const run: ArchivedServer["query"] = (database, ...statements) =>
    withClient(server, database, async (client) => {
      let rows: Record<string, unknown>[] = [];
      for (const each of statements) ({ rows } = await client.query<Record<string, unknown>>(each));
      return rows;
    });
  try {
    const sized = [[volumes.data, sizes.data] as const, [volumes.dumps, sizes.dumps] as const];
    for (const [volume, size] of sized) {
      if (size !== undefined) await volumeInMemory(volume, size, stackLabels(settings, "recovery"));
    }
    await docker([
      ...["run", "-d", "--name", container, "--shm-size", "128m", "--stop-signal", "SIGINT"],
      ...Object.entries(stackLabels(settings, "postgres")).flatMap(([key, value]) => [
        "--label",
        `${key}=${value}`,
      ]),
      ...["-p", `127.0.0.1:${String(postgres)}:5432`],
      ...["-v", `${volumes.data}:/var/lib/postgresql/data`, "-v", `${volumes.dumps}:/var/lib/dumps`],
      ...["-e", "PG_INIT=allow"],
      ...["-e", `PG_SCRAM=${scramVerifier(rolePassword(secrets, "postgres"), "test")}`, cluster.image],
    ]);
    await waitUntilReady(server, 60_000, () => undefined);
    const archive = { container, server, backup: cluster.backup, secrets, say: () => undefined };
    await configureServer(archive);
    await prepareArchive(archive);
    await run(
      "postgres",
      ...archiveSettings.map(
        ([name, value]) => `alter system set ${name} = '${value.replaceAll("'", "''")}'`,
      ),
      "create database meal_planner",
      "create database mealie",
    );
    await docker(["restart", "--time", "30", container], { timeoutMs: 60_000 });
    await waitUntilReady(server, 60_000, () => undefined);
    await checkArchive(archive);
  } catch (error) {
    await cleanup();
    throw error;
  }
  const position = async (): Promise<string> => {
    const [row] = await run("postgres", "select pg_current_wal_lsn()::text as lsn");
    return String(row?.["lsn"]);
  };
  return { settings, container, query: run, position, cleanup };
}
