import { docker } from "../../operations/docker/run.ts";
import type { Config } from "../../test/support/stack.ts";
import { createStack, type ScratchStack } from "../../test/support/stack.ts";
import type { Report } from "../report.ts";

/** A stack with data that does not compress away, a base backup of it, and WAL after that. */
export interface World {
  readonly stack: ScratchStack;
  /** Label of the base backup that every recovery begins from. */
  readonly backup: string;
  /** Names of restore points at the end of the WAL, last first: one for each recovery, each a transaction before the one before. */
  readonly points: readonly string[];
  /** A new volume for each of them. */
  readonly recovered: readonly string[];
  /** Puts the configuration in place: served from `volume`, recovered from `from` to `point` if they are given. */
  readonly configure: (
    volume: string,
    recovery?: { readonly from: string; readonly point: string },
  ) => Promise<void>;
  /** Bytes of WAL between the base backup and the first point. */
  readonly walBytes: number;
  /** Bytes of the database. */
  readonly dataBytes: number;
}

/** Of each 100 bytes of data so many are written again as WAL after the base backup. */
const walShare = 25;

/** Deploys the Meal Planner with an archive and fills the log of its recipe sources with random text. */
export async function makeWorld(report: Report, gigabytes: number, points: number): Promise<World> {
  const stack = await createStack({ project: "rbt-bench" });
  // Made by the recoveries, and in use for as long as the stack is there.
  const recovered = Array.from({ length: points }, (_, n) => `${stack.volumes.data}-${n + 2}`);
  for (const volume of recovered)
    report.defer(`the volume ${volume}`, async () => {
      await docker(["volume", "rm", "-f", volume]);
    });
  report.defer(`the stack ${stack.label}`, () => stack.cleanup());
  const configure: World["configure"] = (volume, recovery) =>
    stack.configure({ live: { "1.2.0": 100 }, redis: false }, (config) => archived(config, volume, recovery));
  await configure(stack.volumes.data);
  report.say(`deploying ${stack.label} …`);
  await stack.up();
  report.say(`writing ${gigabytes} GB that do not compress …`);
  await fill(stack, gigabytes * 1e9);
  await stack.query("meal_planner", "vacuum analyze recipe_sources_audit");
  report.say("making the base backup …");
  await pgbackrest(stack, "backup", "--type=full");
  const info = await pgbackrest(stack, "info", "--output=json");
  const backup = /"label":"([^"]+)"/g;
  const labels = [...info.matchAll(backup)].map(([, label = ""]) => label);
  const before = await position(stack);
  report.say("writing WAL after it …");
  await manySmall(stack);
  await fill(stack, (gigabytes * 1e9 * walShare) / 100);
  const names: string[] = [];
  for (let n = 1; n <= points; n += 1) {
    await stack.query("meal_planner", "insert into meals (name, slot, calories) values ($1, 'lunch', 1)", [
      `point ${n}`,
    ]);
    await stack.query("postgres", "select pg_create_restore_point($1)", [`bench-${n}`]);
    names.unshift(`bench-${n}`);
  }
  const walBytes = (await position(stack)) - before;
  await stack.query("meal_planner", "insert into meals (name, slot, calories) values ('lost', 'lunch', 1)");
  // What is not in the archive yet could not be replayed by hand.
  await pgbackrest(stack, "check");
  const [size] = await stack.query(
    "meal_planner",
    "select pg_database_size(current_database())::text as size",
  );
  return {
    stack,
    backup: labels.at(-1) ?? "",
    points: names,
    recovered,
    configure,
    walBytes,
    dataBytes: Number(size?.["size"]),
  };
}

function archived(
  config: Config,
  volume: string,
  recovery: { readonly from: string; readonly point: string } | undefined,
): Config {
  const cluster = config["rollback:cluster"] as Record<string, unknown>;
  const backup = { ...(cluster["backup"] as object), schedule: "0 3 1 1 *", retention: { full: 9 } };
  return {
    ...config,
    "rollback:cluster": { ...cluster, volume, backup },
    ...(recovery !== undefined && {
      "rollback:recovery": {
        ...{ volume, from: recovery.from, target: { restorePoint: recovery.point } },
        laterWrites: "drop",
      },
    }),
  };
}

/** Random text in rows of 8 kB, made beside the server so that nothing but COPY costs time. */
async function fill(stack: ScratchStack, bytes: number): Promise<void> {
  const copy = "copy recipe_sources_audit (source_id, action, after) from stdin";
  const script = `head -c "$1" /dev/urandom | base64 -w 8000 | awk '{ print NR "\\tINSERT\\t\\"" $0 "\\"" }' | psql -qd meal_planner -c "$2"`;
  const raw = String(Math.round((bytes * 3) / 4));
  await inServer(stack, ["bash", "-c", script, "sh", raw, copy]);
}

/** 20,000 transactions of one row, which is what WAL is mostly made of. */
async function manySmall(stack: ScratchStack): Promise<void> {
  const script = `printf "insert into meals (name, slot, calories) values ('small', 'lunch', 1);\\n" > /tmp/one.sql && pgbench -n -c 4 -t 5000 -f /tmp/one.sql meal_planner`;
  await inServer(stack, ["bash", "-c", script]);
}

async function position(stack: ScratchStack): Promise<number> {
  const [row] = await stack.query("postgres", "select (pg_current_wal_lsn() - '0/0')::text as at");
  return Number(row?.["at"]);
}

/** pgBackRest in the stack's server. */
async function pgbackrest(stack: ScratchStack, ...args: readonly string[]): Promise<string> {
  const config = "--config=/var/lib/postgresql/data/rollback-pgbackrest.conf";
  return inServer(stack, ["pgbackrest", config, "--stanza=main", ...args]);
}

async function inServer(stack: ScratchStack, command: readonly string[]): Promise<string> {
  return docker(["exec", "-u", "postgres", stack.names.postgres, ...command], { timeoutMs: 3600_000 });
}
