import assert from "node:assert/strict";
import type { MatrixTarget } from "./recovery-expected.ts";
import type { Matrix } from "./recovery-matrix.ts";
import { position, shifted } from "./recovery-positions.ts";
import type { Acknowledged, Batch } from "./recovery-workload.ts";

/** One recovery of the matrix; what went before it is what the cases before it did. */
export type Case = readonly [string, (matrix: Matrix) => Promise<void>];

/** The acknowledged commit of this label in a batch. */
export function commitOf({ commits }: Batch, label: string): Acknowledged {
  const found = commits.find((each) => each.label === label);
  assert.ok(found, label);
  return found;
}

export const at = (time: string): MatrixTarget => ({ time });
export const lsn = (place: bigint): MatrixTarget => ({ lsn: position(place) });

/** Targets of every kind, with their edges, told from a batch. */
const targets: readonly (readonly [string, (batch: Batch) => MatrixTarget])[] = [
  ["the time of a commit", (batch) => at(commitOf(batch, "update").time)],
  ["a microsecond before a commit", (batch) => at(shifted(commitOf(batch, "update").time, -1))],
  ["a microsecond after a commit", (batch) => at(shifted(commitOf(batch, "insert").time, 1))],
  ["the time of a commit in the other database", (batch) => at(commitOf(batch, "mealie").time)],
  ["a microsecond before that", (batch) => at(shifted(commitOf(batch, "mealie").time, -1))],
  [
    "a time in another zone",
    (batch) => {
      const { time } = commitOf(batch, "delete");
      const local = shifted(time, (5 * 60 + 30) * 60_000_000).replace(/\+00$/, "+05:30");
      return { time, written: local };
    },
  ],
  [
    "a time in ISO's form",
    (batch) => {
      const { time } = commitOf(batch, "between");
      return { time, written: time.replace(" ", "T").replace(/\+00$/, "Z") };
    },
  ],
  ["a microsecond before a delete", (batch) => at(shifted(commitOf(batch, "delete").time, -1))],
  ["the time of a first phase", (batch) => at(batch.prepared.time)],
  ["a microsecond before a first phase", (batch) => at(shifted(batch.prepared.time, -1))],
  ["the time of a second phase", (batch) => at(commitOf(batch, "prepared").time)],
  ["a microsecond before a second phase", (batch) => at(shifted(commitOf(batch, "prepared").time, -1))],
  ["the time of a large object", (batch) => at(commitOf(batch, "object").time)],
  ["a microsecond before a large object", (batch) => at(shifted(commitOf(batch, "object").time, -1))],
  ["the time of the very last commit", (batch) => at(commitOf(batch, "last").time)],
  ["a transaction", (batch) => ({ xid: commitOf(batch, "insert").xid })],
  ["a transaction in the other database", (batch) => ({ xid: commitOf(batch, "mealie").xid })],
  ["a transaction with savepoints", (batch) => ({ xid: commitOf(batch, "savepoint").xid })],
  ["a transaction just before a first phase", (batch) => ({ xid: commitOf(batch, "delete").xid })],
  ["a transaction between two phases", (batch) => ({ xid: commitOf(batch, "between").xid })],
  ["a two-phase transaction", (batch) => ({ xid: commitOf(batch, "prepared").xid })],
  [
    "one that overlaps and was committed first",
    (batch) => ({ xid: commitOf(batch, "overlapping-second").xid }),
  ],
  [
    "one that overlaps and was committed last",
    (batch) => ({ xid: commitOf(batch, "overlapping-first").xid }),
  ],
  ["a transaction that used a sequence", (batch) => ({ xid: commitOf(batch, "sequence").xid })],
  ["the last transaction", (batch) => ({ xid: commitOf(batch, "last").xid })],
  ["the position of a commit", (batch) => lsn(commitOf(batch, "savepoint").lsn)],
  ["one byte after it", (batch) => lsn(commitOf(batch, "savepoint").lsn + 1n)],
  ["the position of a commit in the other database", (batch) => lsn(commitOf(batch, "mealie").lsn)],
  ["the position of a first phase", (batch) => lsn(batch.prepared.lsn)],
  ["one byte after a first phase", (batch) => lsn(batch.prepared.lsn + 1n)],
  ["the position of a second phase", (batch) => lsn(commitOf(batch, "prepared").lsn)],
  ["one byte after a second phase", (batch) => lsn(commitOf(batch, "prepared").lsn + 1n)],
  ["the end of a segment", (batch) => lsn(placeOf(batch, "before switch"))],
  ["the first commit after a segment", (batch) => lsn(commitOf(batch, "switched").lsn + 1n)],
  ["the position of the very last commit", (batch) => lsn(commitOf(batch, "last").lsn)],
  ["a restore point", (batch) => pointOf(batch, "middle")],
  ["a restore point within two transactions", (batch) => pointOf(batch, "within")],
  ["a restore point after everything", (batch) => pointOf(batch, "end")],
];

function placeOf({ places }: Batch, name: string): bigint {
  const found = places.get(name);
  assert.ok(found);
  return found;
}

export function pointOf({ points, number }: Batch, name: string): MatrixTarget {
  const found = points.get(name);
  assert.ok(found);
  return { restorePoint: `${name}-${number}`, lsn: found };
}

/** Each kind of target in a batch that has just been written, one recovery after the other. */
export const everyKind: readonly Case[] = targets.map(([name, target], n) => [
  name,
  async (matrix) => {
    if (n % 6 === 5) await matrix.baseBackup();
    await matrix.recover(target(await matrix.write()));
  },
]);

/** Targets that cannot be reached, at their edges. */
export const refusals: readonly Case[] = [
  [
    "a microsecond after the very last transaction",
    async (matrix) => {
      const batch = await matrix.write();
      await matrix.refuse("AFTER_LAST_COMMIT", { time: shifted(commitOf(batch, "last").time, 60_000_000) });
    },
  ],
  [
    "a position far behind the end",
    async (matrix) => {
      const end = commitOf(await matrix.write(), "last").lsn;
      await matrix.refuse("AFTER_LAST_COMMIT", { lsn: position(end + 2n ** 24n) });
    },
  ],
  [
    "a transaction that was rolled back",
    async (matrix) => matrix.refuse("XID_ABSENT", { xid: (await matrix.write()).xids.get("aborted") ?? "" }),
  ],
  [
    "a savepoint's own number",
    async (matrix) =>
      matrix.refuse("XID_ABSENT", { xid: (await matrix.write()).xids.get("subtransaction") ?? "" }),
  ],
  ["a transaction that never was", (matrix) => matrix.refuse("XID_ABSENT", { xid: "4000000000" })],
  ["a restore point that never was", (matrix) => matrix.refuse("NAME_ABSENT", { restorePoint: "nobody" })],
  ["a release that never was", (matrix) => matrix.refuse("NAME_ABSENT", { before: "0.0.1" })],
  [
    "a time before any base backup",
    (matrix) => matrix.refuse("BEFORE_BACKUP_END", { time: "2001-01-01 00:00:00Z" }),
  ],
  ["a position before any base backup", (matrix) => matrix.refuse("BEFORE_BACKUP_END", { lsn: "0/1000028" })],
  [
    "a restore point that is there twice",
    async (matrix) => {
      for (let n = 0; n < 2; n += 1) {
        await matrix.stack.query("postgres", "select pg_create_restore_point('twice')");
        await matrix.write();
      }
      await matrix.refuse("NAME_DUPLICATE", { restorePoint: "twice" });
    },
  ],
];
