import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { ownPlace, shellIn } from "../../operations/backup/place.ts";
import type { StackOptions } from "../../examples/meal-planner/stack.ts";
import { dumpsOf } from "./stack-checks.ts";
import { volumeInMemory } from "./volume-in-memory.ts";
import { createStack, type ScratchStack } from "./stack.ts";

const command = path.join(import.meta.dirname, "../../cli/rollback.mjs");

/** Parts of a stack that no test of a reset needs are left out. */
const quick = {
  ...{ safety: { bake: "0s" }, redis: false },
  // On a busy machine the change of names takes its time.
  gateway: { hold: "2m" },
  releases: ["1.2.0", "1.2.1"],
} as const satisfies Omit<StackOptions, "live">;

/** What `rollback:reset` asks for. */
export interface AskedReset {
  readonly database?: string;
  readonly keepAs: string;
  readonly back?: string;
  readonly load?: Readonly<Record<string, unknown>>;
}

/** A stack at 1.2.1 whose planner's database holds a meal from before its newest dump, and one that was spoilt since. */
export interface ResetStack {
  readonly stack: ScratchStack;
  /** Taken before 1.2.1 came, so that its rows fit the schema before. */
  readonly dump: string;
  /** A salvage pack with the meal `written later`. */
  readonly pack: string;
  /** Writes the stack file; without `reset` the key is not there. */
  ask(reset?: AskedReset, live?: "1.2.0" | "1.2.1"): Promise<void>;
  /** `rollback reset meal_planner …` */
  command(
    ...args: readonly string[]
  ): Promise<{ readonly exitCode: number | undefined; readonly all: string }>;
  /** Names of the planner's databases on the server. */
  databases(): Promise<string[]>;
  /** Names of the meals in a database. */
  meals(database?: string): Promise<string[]>;
  write(name: string): Promise<unknown>;
  /** Another salvage pack. */
  keepPack(name: string, table: string, rows: readonly unknown[]): Promise<void>;
  cleanup(): Promise<void>;
}

/** `data`: size of a data volume in memory, e.g. `400m`; default: on disk. */
export async function createResetStack({ data }: { readonly data?: string } = {}): Promise<ResetStack> {
  const stack = await createStack();
  if (data !== undefined)
    await volumeInMemory(stack.volumes.data, data, {
      "rollback.stack": stack.label,
      "rollback.role": "kept",
    });
  const ask: ResetStack["ask"] = (reset, live = "1.2.1") =>
    stack.configure({ ...quick, live: { [live]: 100 } }, (config) =>
      reset === undefined ? config : { ...config, "rollback:reset": { database: "meal_planner", ...reset } },
    );
  const write = (name: string): Promise<unknown> =>
    stack.query("meal_planner", "insert into meals (name, slot, calories) values ($1, 'lunch', 100)", [name]);
  const names = async (database: string, sql: string): Promise<string[]> =>
    (await stack.query(database, sql)).map((row) => z.string().parse(row["name"]));
  try {
    await ask(undefined, "1.2.0");
    await stack.up();
    await write("in the dump");
    await stack.query(
      "meal_planner",
      "with one as (insert into users (email, display_name) values ('ada@example.org', 'Ada') returning id) insert into meal_favourites (user_id, meal_id) select one.id, meals.id from one, meals",
    );
    // Dumps before it migrates.
    await ask();
    await stack.up();
    const [dump] = await dumpsOf(stack);
    await write("written later");
    const pack = "11111111-2222-3333-4444-555555555555";
    const [later] = await stack.query(
      "meal_planner",
      "select to_jsonb(t) as row from meals t where name = 'written later'",
    );
    await packOf(stack, pack, "meals", [later?.["row"]]);
    await stack.query("meal_planner", "delete from meals where name = 'written later'");
    await write("spoilt");
    return {
      ...{ stack, dump: dump?.name ?? "", pack, ask, write },
      keepPack: (name, table, rows) => packOf(stack, name, table, rows),
      async command(...args) {
        const cwd = path.join(stack.folder, "project");
        const all = [command, "reset", "meal_planner", ...args, "--stack", stack.stack];
        const done = await execa(process.execPath, all, { cwd, env: stack.env, all: true, reject: false });
        return { exitCode: done.exitCode, all: done.all };
      },
      databases: () =>
        names(
          "postgres",
          "select datname as name from pg_database where datname like 'meal_planner%' order by 1",
        ),
      meals: (database = "meal_planner") => names(database, "select name from meals order by name"),
      cleanup: () => stack.cleanup(),
    };
  } catch (error) {
    await stack.cleanup();
    throw error;
  }
}

/** Rows as a recovery would have kept them. */
async function packOf(
  stack: ScratchStack,
  name: string,
  table: string,
  rows: readonly unknown[],
): Promise<void> {
  const lines = rows.map((row) =>
    JSON.stringify({ database: "meal_planner", table: `public.${table}`, change: "write", row }),
  );
  const place = ownPlace(stack.names.postgres, { volume: stack.volumes.dumps });
  const script = 'mkdir -p "$1"; cat > "$1/meal_planner.jsonl"';
  await shellIn(place, script, [`/var/lib/dumps/salvage/${name}`], { input: `${lines.join("\n")}\n` });
}
