import { docker } from "../../operations/docker/run.ts";
import { at, commitOf, lsn, pointOf, type Case } from "./recovery-cases.ts";
import { shifted } from "./recovery-positions.ts";
import type { Acknowledged } from "./recovery-workload.ts";

const time = ({ time: text }: Acknowledged): Record<string, string> => ({ time: text });

/** What came before: recoveries, undos and crashes. */
export const histories: readonly Case[] = [
  [
    "a target of long ago, on a timeline left since: a time",
    async (matrix) => {
      await matrix.baseBackup();
      const old = await matrix.write();
      await matrix.recover(at(commitOf(await matrix.write(), "insert").time));
      await matrix.write();
      await matrix.recover(at(commitOf(old, "object").time));
    },
  ],
  [
    "a target of long ago: a transaction, a position and a restore point, each earlier than the one before",
    async (matrix) => {
      const old = await matrix.write();
      await matrix.recover(lsn(commitOf(await matrix.write(), "delete").lsn));
      await matrix.write();
      await matrix.recover({ xid: commitOf(old, "object").xid });
      await matrix.recover(lsn(commitOf(old, "delete").lsn));
      await matrix.recover(pointOf(old, "middle"));
    },
  ],
  [
    "the last commit before a fork, the first after it, and the times between",
    async (matrix) => {
      const batch = await matrix.write();
      const last = commitOf(batch, "update");
      const left = commitOf(batch, "delete");
      await matrix.recover(at(last.time));
      const next = await matrix.write();
      await matrix.refuse("TIMELINE_AMBIGUOUS", time(left));
      await matrix.refuse("NAME_ABSENT", { restorePoint: `within-${batch.number}` });
      await matrix.recover(at(commitOf(next, "first").time));
      await matrix.recover(at(last.time));
    },
  ],
  [
    "a transaction number that two timelines have used is the one of the way",
    async (matrix) => {
      const batch = await matrix.write();
      await matrix.recover({ xid: commitOf(batch, "first").xid });
      const again = await matrix.write();
      await matrix.recover({ xid: commitOf(again, "between").xid });
    },
  ],
  [
    "two recoveries and two undos in a row, and a recovery after each undo",
    async (matrix) => {
      await matrix.baseBackup();
      const origin = matrix.volume();
      const batch = await matrix.write();
      await matrix.recover(at(commitOf(batch, "object").time));
      const second = matrix.volume();
      const later = await matrix.write();
      await matrix.recover(lsn(commitOf(later, "delete").lsn));
      await matrix.write();
      await matrix.undo(second);
      await matrix.refuse("VOLUME_IN_USE", { restorePoint: `middle-${batch.number}` }, { from: origin });
      await matrix.undo(origin);
      const after = await matrix.write();
      await matrix.refuse("TIMELINE_AMBIGUOUS", time(commitOf(later, "delete")));
      await matrix.recover({ xid: commitOf(after, "savepoint").xid });
      await matrix.recover(at(commitOf(batch, "last").time));
      await matrix.recover(pointOf(batch, "middle"));
    },
  ],
  [
    "an undo of an undo",
    async (matrix) => {
      const batch = await matrix.write();
      const origin = matrix.volume();
      await matrix.recover(at(commitOf(batch, "insert").time));
      const other = matrix.volume();
      await matrix.write();
      await matrix.undo(origin);
      await matrix.write();
      await matrix.undo(other);
      const after = await matrix.write();
      await matrix.recover(lsn(commitOf(after, "mealie").lsn + 1n));
    },
  ],
  [
    "after a crash: what was written before it, and after it",
    async (matrix) => {
      const before = await matrix.write();
      await matrix.crash();
      await matrix.check();
      const after = await matrix.write();
      await matrix.recover(at(shifted(commitOf(after, "update").time, -1)));
      await matrix.recover({ xid: commitOf(before, "last").xid });
      await matrix.recover(lsn(commitOf(before, "prepared").lsn));
    },
  ],
  [
    "after a crash of a recovered server, and one of an undone one",
    async (matrix) => {
      const batch = await matrix.write();
      const origin = matrix.volume();
      await matrix.recover(pointOf(batch, "within"));
      await matrix.write();
      await matrix.crash();
      await matrix.recover({ xid: commitOf(await matrix.write(), "overlapping-first").xid });
      await matrix.undo(origin);
      await matrix.crash();
      await matrix.check();
      await matrix.recover(at(commitOf(await matrix.write(), "sequence").time));
    },
  ],
  [
    "of a server that had more connections, before and during the base backup",
    async (matrix) => {
      await matrix.settings({ max_connections: "150" });
      await matrix.baseBackup();
      const early = await matrix.write();
      await matrix.settings({ max_connections: "120" });
      const late = await matrix.write();
      await matrix.settings({});
      await matrix.recover(at(commitOf(late, "between").time));
      await matrix.recover(at(commitOf(early, "between").time));
    },
  ],
  [
    "when the server's container is gone",
    async (matrix) => {
      const batch = await matrix.write();
      await docker(["rm", "-f", matrix.stack.names.postgres]);
      await matrix.recover({ xid: commitOf(batch, "overlapping-second").xid });
    },
  ],
  [
    "while others go on writing",
    async (matrix) => {
      const batch = await matrix.write();
      await matrix.recover(at(commitOf(batch, "object").time), {
        laterWrites: "keep",
        meanwhile: async () => {
          for (let n = 0; n < 20; n += 1)
            await matrix.stack.query(
              "meal_planner",
              `insert into workload.entry values ('later-${String(n)}', '')`,
            );
        },
      });
    },
  ],
];

const before: readonly Case[] = [
  ["nothing else", () => Promise.resolve()],
  ["a recovery", async (matrix) => matrix.recover(at(commitOf(await matrix.write(), "between").time))],
  [
    "an undo",
    async (matrix) => {
      const origin = matrix.volume();
      await matrix.recover(at(commitOf(await matrix.write(), "between").time));
      await matrix.undo(origin);
    },
  ],
  ["a crash", (matrix) => matrix.crash()],
];

/** Just before a release, after each of these. */
export const releases: readonly Case[] = before.map(([name, prepare]) => [
  `just before a release, after ${name}`,
  async (matrix) => {
    await prepare(matrix);
    await matrix.write();
    const place = await matrix.deploy();
    await matrix.write();
    await matrix.recover({ before: "1.2.1", lsn: place });
  },
]);
