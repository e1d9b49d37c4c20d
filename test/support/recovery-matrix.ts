import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { StackOptions } from "../../examples/meal-planner/stack.ts";
import { docker } from "../../operations/docker/run.ts";
import { killedAt, type Instant } from "./kill-trials.ts";
import {
  archived,
  askRecovery,
  assertRefused,
  quickStack,
  restoredByDefault,
  type Asked,
} from "./recovery.ts";
import {
  checkPrepared,
  checkSequence,
  configured,
  keptAt,
  type Branch,
  type MatrixTarget,
} from "./recovery-expected.ts";
import { parsePosition } from "./recovery-positions.ts";
import {
  createWorkload,
  readState,
  stateAfter,
  writeBatch,
  type Acknowledged,
  type Batch,
} from "./recovery-workload.ts";
import { createStack, type ScratchStack } from "./stack.ts";

/** A stack that is recovered many times in a row, with its workload and the log of what was acknowledged. */
export interface Matrix {
  readonly stack: ScratchStack;
  /** The volume in use. */
  readonly volume: () => string;
  readonly log: () => readonly Acknowledged[];
  /** Writes a batch of known transactions and returns it. */
  readonly write: () => Promise<Batch>;
  /** Recovers with `up`, and compares what is there with what the log says. */
  readonly recover: (target: MatrixTarget, options?: RecoverOptions) => Promise<void>;
  /** Runs `up`, which must refuse the target with this code and leave everything as it was. */
  readonly refuse: (
    code: string,
    target: Readonly<Record<string, string>>,
    more?: Partial<Asked>,
  ) => Promise<void>;
  /** Goes back to a volume that was in use before, with `up`, and compares; one before it is killed at that instant. */
  readonly undo: (volume: string, killed?: Instant) => Promise<void>;
  /** Ends the server with SIGKILL and starts it again. */
  readonly crash: () => Promise<void>;
  readonly baseBackup: () => Promise<void>;
  /** Gives the server these settings, and no others, with `up`. */
  readonly settings: (settings: Readonly<Record<string, string>>) => Promise<void>;
  /** Brings the next release, whose schema is another. @returns a position between what was written before and after. */
  readonly deploy: () => Promise<bigint>;
  /**
   * Recovers with an `up` that is killed at that instant, and goes back to the volume in use with the next one; those before it
   * are killed at these instants.
   */
  readonly abandon: (target: MatrixTarget, instant: Instant, back?: readonly Instant[]) => Promise<void>;
  /** As `abandon`, for an undo that was to go to that volume. */
  readonly abandonUndo: (volume: string, instant: Instant) => Promise<void>;
  /** Asserts that a plain restore of the archive holds what the server does. */
  readonly checkRestore: () => Promise<void>;
  /** Asserts that both databases hold what the log says. */
  readonly check: () => Promise<void>;
  readonly cleanup: () => Promise<void>;
}

export interface RecoverOptions {
  readonly laterWrites?: "keep" | "drop";
  /** The `up` is killed at that instant, and run again. */
  readonly killed?: Instant;
  /** Runs when the `up` has been started. */
  readonly meanwhile?: () => Promise<void>;
}

const options: StackOptions = { ...quickStack, live: { "1.2.0": 100 }, releases: ["1.2.0", "1.2.1"] };

export async function createMatrix(): Promise<Matrix> {
  const stack = await createStack();
  const volumes = [stack.volumes.data];
  const left = new Map<string, Branch>();
  let inUse = stack.volumes.data;
  let branch: Branch;
  let batches = 0;

  const ask = async (target: MatrixTarget, laterWrites: "keep" | "drop"): Promise<string> => {
    const volume = `${stack.volumes.data}-${volumes.length + 1}`;
    volumes.push(volume);
    await askRecovery(stack, options, { target: configured(target), volume, from: inUse, laterWrites });
    return volume;
  };

  /** A configuration whose server is on a volume that holds this cluster, beside a recovery that it does not ask for. */
  const name = (
    volume: string,
    recovery: { readonly volume: string; readonly from: string },
  ): Promise<void> =>
    stack.configure(options, (config) => ({
      ...archived(config, { volume }),
      "rollback:recovery": { ...recovery, target: { restorePoint: "none" }, laterWrites: "drop" },
    }));

  const matrix: Matrix = {
    stack,
    volume: () => inUse,
    log: () => branch.commits,
    async write() {
      batches += 1;
      const batch = await writeBatch(stack, batches);
      branch = {
        ...branch,
        commits: [...branch.commits, ...batch.commits],
        prepared: [...branch.prepared, batch.prepared],
      };
      return batch;
    },
    async recover(target, { meanwhile, killed, laterWrites = "drop" } = {}) {
      const volume = await ask(target, laterWrites);
      if (killed !== undefined) await killedAt(stack, killed);
      const running = await stack.startUp();
      await meanwhile?.();
      const { exitCode, output } = await running.ended;
      assert.equal(exitCode, 0, output);
      left.set(inUse, branch);
      inUse = volume;
      branch = keptAt(branch, target);
      await matrix.check();
    },
    async refuse(code, target, more = {}) {
      const before = await readState(stack);
      const volume = `${stack.volumes.data}-never`;
      await askRecovery(stack, options, { target, volume, from: inUse, laterWrites: "drop", ...more });
      const { output } = await stack.up({ expectFailure: true });
      assertRefused(output, code);
      assert.deepEqual(await readState(stack), before);
    },
    async undo(volume, killed) {
      const from = inUse;
      await name(volume, { volume: from, from: volume });
      if (killed !== undefined) await killedAt(stack, killed);
      await stack.up();
      left.set(from, branch);
      inUse = volume;
      const then = left.get(volume);
      assert.ok(then);
      branch = then;
      await matrix.check();
    },
    async crash() {
      await docker(["kill", "--signal", "KILL", stack.names.postgres]);
      await docker(["start", stack.names.postgres]);
      for (;;) {
        try {
          await stack.query("postgres", "select 1");
          return;
        } catch {
          await sleep(100);
        }
      }
    },
    async baseBackup() {
      await docker([
        ...[
          "exec",
          stack.names.postgres,
          "pgbackrest",
          "--config=/var/lib/postgresql/data/rollback-pgbackrest.conf",
        ],
        ...["--stanza=main", "--type=full", "backup"],
      ]);
    },
    async settings(settings) {
      await stack.configure(options, (config) => archived(config, { volume: inUse, settings }));
      await stack.up();
    },
    async deploy() {
      const [row] = await stack.query("postgres", "select pg_current_wal_insert_lsn()::text as lsn");
      await stack.configure({ ...options, live: { "1.2.1": 100 } }, (config) =>
        archived(config, { volume: inUse }),
      );
      await stack.up();
      return parsePosition(String(row?.["lsn"]));
    },
    async abandon(target, instant, back = []) {
      const volume = await ask(target, "drop");
      await killedAt(stack, instant);
      await name(inUse, { volume, from: inUse });
      for (const each of back) await killedAt(stack, each);
      await stack.up();
      const containers = (await stack.containers()).map(({ name }) => name);
      assert.deepEqual(
        containers.filter((name) => name.includes("recover")),
        [],
      );
      await matrix.check();
    },
    async abandonUndo(volume, instant) {
      await name(volume, { volume: inUse, from: volume });
      await killedAt(stack, instant);
      await name(inUse, { volume, from: inUse });
      await stack.up();
      await matrix.check();
    },
    async checkRestore() {
      const sql = 'select id, note from workload.entry order by id collate "C"';
      const served = await stack.query("meal_planner", sql);
      const restored = await restoredByDefault(stack, inUse, "meal_planner", sql);
      assert.deepEqual(
        restored,
        served.map(({ id, note }) => `${String(id)}|${String(note)}`),
      );
    },
    async check() {
      assert.deepEqual(await readState(stack), stateAfter(branch.start, branch.commits));
      await checkPrepared(stack, branch);
      const committed = new Set(branch.commits.map(({ xid }) => xid));
      branch = { ...branch, prepared: branch.prepared.filter(({ xid }) => committed.has(xid)) };
      await checkSequence(stack, branch);
    },
    async cleanup() {
      await stack.cleanup();
      await docker(["volume", "rm", "-f", ...volumes, `${stack.volumes.data}-never`]);
    },
  };
  try {
    await stack.configure(options, (config) => archived(config));
    await stack.up();
    await createWorkload(stack);
    branch = { start: await readState(stack), commits: [], prepared: [] };
    return matrix;
  } catch (error) {
    await matrix.cleanup();
    throw error;
  }
}
