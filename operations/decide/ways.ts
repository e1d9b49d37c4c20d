import type { Facts } from "./facts.ts";

export type WayName = "flags" | "rollback" | "recover" | "reset" | "forward" | "watch";

/** One thing that can be done, with what it costs. */
export interface Way {
  readonly name: WayName;
  readonly title: string;
  /** Minutes until users are served again; undefined: nobody can tell. */
  readonly minutes: number | undefined;
  /** Rows of key tables that it loses; undefined: nobody can tell. */
  readonly rowsLost: number | undefined;
  /** What else is to be known, a line each. */
  readonly notes: readonly string[];
  /** Why it cannot be done; undefined: it can. */
  readonly impossible: string | undefined;
  /** What to change in the stack file, or to type. */
  readonly change: string;
}

/** Bytes a second that a restore is reckoned with: PostgreSQL loads a plain table at about this rate on one core. */
const restoreRate = 30e6;

/** Cost and configuration change of one way, from the facts. Pure. */
export function wayOf(name: WayName, facts: Facts): Way {
  return { ...builders[name](facts), name };
}

const builders: Readonly<Record<WayName, (facts: Facts) => Omit<Way, "name">>> = {
  flags: ({ back, live }) => ({
    title: `switch the flags of ${live} back`,
    minutes: 0.2,
    rowsLost: 0,
    notes: back?.flags ?? [],
    impossible: (back?.flags.length ?? 0) === 0 ? "no flag differs from the release before" : undefined,
    change: `rollback:releases → "${live}" → services → flags:\n${(back?.flags ?? []).map((flag) => `  ${flag}`).join("\n")}\npulumi up`,
  }),
  rollback: ({ back, previous, tookBefore }) => ({
    title: `roll back to ${previous ?? "the release before"}`,
    minutes: back === undefined ? undefined : minutesBack(tookBefore, back.running),
    rowsLost: 0,
    notes: [
      ...(back?.schema ?? []),
      ...(back !== undefined && back.archived.length > 0 ? [`archived: ${back.archived.join(", ")}`] : []),
      ...(back?.running === true ? ["its containers run already"] : []),
    ],
    impossible:
      back === undefined ? `${previous ?? "a release before"} is not in rollback:releases` : back.refused,
    change: `rollback:live: { "${previous ?? "…"}": 100 }\npulumi preview --diff && pulumi up`,
  }),
  recover: ({ live, written, dump }) => ({
    title: `recover to the moment before ${live}`,
    minutes: dump === undefined ? undefined : 1 + dump.bytes / restoreRate / 60,
    rowsLost: sum(written),
    notes: (written ?? []).map(
      ({ database, table, rows }) => `${database}.${table}: ${rows} rows written since`,
    ),
    impossible: undefined,
    change: `rollback:recovery: { volume: NEW, from: TODAYS, target: { before: "${live}" }, laterWrites: keep }\nrollback:cluster → volume: NEW\npulumi preview --diff && pulumi up`,
  }),
  reset: ({ dump, written }) => ({
    title: "reset: a new database, all migrations, data from the last dump",
    minutes: dump === undefined ? undefined : 2 + dump.bytes / restoreRate / 60,
    rowsLost: sum(written),
    notes: dump === undefined ? [] : [`dump ${dump.name} of ${dump.at}`],
    impossible: dump === undefined ? "there is no whole dump to load from" : undefined,
    change: `rollback:reset: { database: DATABASE, keepAs: DATABASE_corrupted, load: { dump: ${dump?.name ?? "NAME"} } }      (docs/recovery.md)\npulumi preview --diff && pulumi up`,
  }),
  forward: ({ live }) => ({
    title: `mend ${live} and deploy a fixed release`,
    minutes: undefined,
    rowsLost: 0,
    notes: [],
    impossible: undefined,
    change: "a new entry of rollback:releases, and rollback:live that names it\npulumi up",
  }),
  watch: () => ({
    title: "leave everything as it is, and watch",
    minutes: 0,
    rowsLost: 0,
    notes: [],
    impossible: undefined,
    change: "nothing",
  }),
};

/** Earlier rollbacks of this stack tell best; without any, what an `up` with and without containers to start takes. */
function minutesBack(tookBefore: readonly number[], running: boolean): number {
  const sorted = [...tookBefore].sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  return (median ?? (running ? 10 : 30)) / 60;
}

function sum(written: Facts["written"]): number | undefined {
  return written?.reduce((total, { rows }) => total + rows, 0);
}
