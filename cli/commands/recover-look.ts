import { InvalidArgumentError, type Command } from "commander";
import { z } from "zod";
import { heldTables, standsAt, type Look } from "../../operations/recovery/look/look.ts";
import { lookName, readLookMark, removeLook, type LookPlace } from "../../operations/recovery/look/place.ts";
import { hasDatabase, runSql, selectRows } from "../../operations/recovery/look/query.ts";
import { ownCluster, withLook } from "../../operations/recovery/look/session.ts";
import { Refusal } from "../../settings/refusal.ts";
import { parseTarget } from "../../settings/target-text.ts";
import type { RecoveryTarget, Settings } from "../../settings/types.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

interface LookOptions extends StackOptions {
  readonly at?: RecoveryTarget;
  readonly database?: string;
  readonly sql?: string;
  readonly json: boolean;
  readonly end: boolean;
}

/** Help for `--at`, the same for every command that has it. */
export const atHelp =
  "point in time: before=RELEASE, restorePoint=NAME, time='2026-11-22 09:00:00+00', xid=740, lsn=0/16B3748";

/** Parser of `--at`. */
export function target(text: string): RecoveryTarget {
  const parsed = parseTarget(text);
  if ("mistake" in parsed) throw new InvalidArgumentError(parsed.mistake);
  return parsed;
}

/** `rollback recover look`: a private read-only server at a point in time. */
export function look(group: Command): void {
  aboutStack(group.command("look"))
    .description("start a private, read-only instance at a point in time, move it, query it, remove it")
    .option("--at <target>", atHelp, target)
    .option("--database <name>", "database that --sql is about; default: the first of rollback:databases")
    .option("--sql <query>", "run this query there")
    .option("--json", "one JSON document on stdout; --sql must then be one SELECT", false)
    .option("--end", "remove the instance and its volume", false)
    .action(async ({ at, database, sql, json, end, ...stack }: LookOptions) => {
      const { settings } = await readStack(stack);
      const place: LookPlace = { settings, cluster: ownCluster(settings), purpose: "look" };
      if (end) {
        ended(await removeLook(place), json);
        return;
      }
      const name =
        database === undefined ? [...settings.databases.keys()][0] : databaseNamed(settings, database).name;
      const say = (line: string): void => console.error(line);
      const found =
        at === undefined ? undefined : await withLook(settings, "look", say, ({ goTo }) => goTo(at));
      const shown = { ...(await stateOf(place)), ...(found === undefined ? {} : described(found)) };
      const rows = sql === undefined || name === undefined ? undefined : await ask(place, name, sql, json);
      if (json)
        console.log(JSON.stringify({ ...shown, ...(rows === undefined ? {} : { rows }) }, undefined, 2));
      else console.log(rows === undefined ? text(settings, shown, found) : rows);
    });
}

function ended(was: boolean, json: boolean): void {
  console.log(
    json
      ? JSON.stringify({ removed: was })
      : was
        ? "removed the instance and its volume"
        : "there was no instance",
  );
}

interface Shown {
  readonly container: string;
  /** As it was asked for. */
  readonly at: string;
  readonly timeline: number;
  /** First position that is not there, or with `inclusive` the last that is. */
  readonly lsn: string;
  readonly inclusive: boolean;
  /** `database: table` of those that a transaction under way holds: they cannot be read. */
  readonly held: readonly string[];
}

async function stateOf(place: LookPlace): Promise<Shown> {
  const mark = await readLookMark(place);
  const state = mark === undefined ? undefined : await standsAt(place);
  if (mark === undefined || state?.paused !== true) {
    throw new Refusal({
      code: "LOOK_ABSENT",
      found:
        mark === undefined
          ? "no instance to look at has been started."
          : `the instance at ${mark.asked} does not run.`,
      untouched: "Nothing was done.",
      next: `Start it:  npx rollback recover look --at ${mark === undefined ? "before=RELEASE" : `'${mark.asked}'`}`,
    });
  }
  const { asked, timeline, lsn, inclusive } = mark;
  const container = lookName(place);
  const held: string[] = [];
  for (const database of place.settings.databases.keys()) {
    if (!(await hasDatabase(container, database))) continue;
    held.push(...(await heldTables(container, database)).map((table) => `${database}: ${table}`));
  }
  return { container, at: asked, timeline, lsn, inclusive, held };
}

function described({ target: { last, lost }, how, backup }: Look): object {
  return {
    ...{
      how,
      backup: backup.label,
      lastKept: last === undefined ? null : { xid: last.xid, time: `${last.time}+00` },
    },
    transactionsLater: lost.length,
  };
}

async function ask(place: LookPlace, database: string, sql: string, json: boolean): Promise<unknown> {
  const container = lookName(place);
  return json
    ? selectRows(container, database, z.record(z.string(), z.unknown()), sql)
    : runSql(container, database, sql);
}

function text(
  settings: Settings,
  { container, at, timeline, lsn, inclusive, held }: Shown,
  found: Look | undefined,
): string {
  const { target: there, how } = found ?? {};
  return [
    `${container} ${how === undefined ? "stands" : how === "restored" ? "was restored and stands" : how === "moved on" ? "went on and stands" : "stands already"} at ${at}: timeline ${timeline}, ${lsn} ${inclusive ? "inclusive" : "exclusive"}, read-only`,
    ...(there === undefined
      ? []
      : [
          there.last === undefined
            ? "no transaction since its base backup is in it"
            : `last transaction in it: ${there.last.xid} of ${there.last.time}+00; ${there.lost.length} came later`,
        ]),
    ...held.map((table) => `${table} cannot be read there: a transaction that was under way holds it`),
    "",
    ...[...settings.databases.keys()].map((name) => `docker exec -it -u postgres ${container} psql ${name}`),
    "another moment:  npx rollback recover look --at …      done:  npx rollback recover look --end",
  ].join("\n");
}
