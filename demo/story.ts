import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seedMealie, seedMealPlanner, sizeTimes } from "../examples/meal-planner/seed.ts";
import type { StackOptions } from "../examples/meal-planner/stack.ts";
import { withClient } from "../operations/database/connection.ts";
import { findClientRefs, startLoad, verifyRows, type Load } from "../test/support/load.ts";
import type { Ended } from "../test/support/stack-command.ts";
import { linesOf } from "../test/support/stack-events.ts";
import type { ScratchStack } from "../test/support/stack.ts";
import { essenceOf, heading, indented, narrate, show, typed } from "./show.ts";
import type { Findings, Stretch } from "./timeline.ts";

/** Milliseconds of load before, between and after the changes, so that each can be told from what is usual. */
const breath = 3_000;

/** The quick form: a day's bake makes sense in production, not in a demo. */
const common = { safety: { bake: "3s" }, gateway: { hold: "30s", drain: "5s" } } as const;

/** Deploys, deploys the next release and rolls back, all but the first under load. Returns what clients saw. */
export async function tell(
  stack: ScratchStack,
  size: number,
  started: (load: Load) => void,
): Promise<Findings> {
  heading("1  Deploy 1.2.0", "The stack's whole configuration is one file in a git repository.");
  await commit(stack, { ...common, live: { "1.2.0": 100 } }, "Deploy 1.2.0");
  await up(stack);
  await seed(stack, size);

  heading(
    "2  Clients arrive",
    `16 keep-alive connections to ${stack.url}, 80 % GET and 20 % POST; nothing is ever sent twice.`,
  );
  const load = await startLoad({ url: stack.url });
  started(load);
  const stretches: Stretch[] = [];
  const during = async <T>(
    step: string,
    work: () => Promise<T>,
    heldIn: (done: T) => string | undefined,
  ): Promise<T> => {
    const from = load.mark(step);
    const done = await work();
    stretches.push({ step, from, to: load.mark(`${step}: over`), held: heldIn(done) });
    return done;
  };
  const usual = (release: string): Promise<void> =>
    during(
      `${release} serves`,
      () => sleep(breath),
      () => undefined,
    );
  await usual("1.2.0");

  heading(
    "3  Deploy 1.2.1",
    "Three migrations come with it: 021 drops a table, 022 renames a type's value, 023 adds a column.",
  );
  const live = { "1.2.1": 100 };
  await commit(stack, { ...common, live, releases: ["1.2.0", "1.2.1"] }, "Deploy 1.2.1");
  await during("deploy 1.2.1", () => up(stack), held);
  await usual("1.2.1");

  heading("4  What would the way back do?", "The previous file is tried, without changing anything.");
  await during(
    "preview of the way back",
    () => previewWayBack(stack),
    () => undefined,
  );

  heading(
    "5  Roll back",
    "The deploy's commit is reverted: the whole file, the catalogue with it. Then `pulumi up` as ever.",
  );
  const back = await during("roll back to 1.2.0", () => rollBack(stack), held);
  await usual("1.2.0");

  const { records, report } = await load.stop();
  const rows = await verifyRows(report.acknowledged, async (ids) => {
    const found = await stack.query("meal_planner", findClientRefs, [ids]);
    return found.map(({ client_ref: id }) => String(id));
  });
  return { stretches, records, rows, dump: dumpOf(back), ...(await whatIsLive(stack)) };
}

async function commit(stack: ScratchStack, options: StackOptions, message: string): Promise<void> {
  await stack.configure(options);
  const folder = path.dirname(stack.file);
  await stack.git("add", "--all");
  await show(folder, stack.env, "git", "diff", "--cached", "--stat");
  typed("git", "commit", "-am", `'${message}'`);
  await stack.git("commit", "--quiet", "--message", message);
}

async function up(stack: ScratchStack): Promise<Ended> {
  typed("pulumi", "up", "--yes", "--skip-preview");
  return stack.up({ onEvent: narrate() });
}

async function previewWayBack(stack: ScratchStack): Promise<void> {
  const previous = path.join(stack.folder, "previous.yaml");
  typed("git", "show", `HEAD~1:${path.basename(stack.file)}`, ">", previous);
  const text = await stack.git("show", `HEAD~1:${path.basename(stack.file)}`);
  await stack.write(previous, text);
  typed("pulumi", "preview", "--diff", "--config-file", previous);
  const { output } = await stack.preview({
    args: ["--diff", "--config-file", previous, "--suppress-progress"],
  });
  indented(essenceOf(output));
  console.log("    (what is new or goes is shown here by its name only)");
}

async function rollBack(stack: ScratchStack): Promise<Ended> {
  await show(path.dirname(stack.file), stack.env, "git", "revert", "--no-edit", "HEAD");
  return up(stack);
}

async function seed(stack: ScratchStack, size: number): Promise<void> {
  const rows = sizeTimes(size);
  console.log(`\n  a year of data: ${rows.foodLogs} entries, ${rows.mealPlans} plans …`);
  await withClient(stack.server, "meal_planner", (client) => seedMealPlanner(client, rows));
  await withClient(stack.server, "mealie", (client) => seedMealie(client, rows));
}

/** How long requests were held, from what the traffic effect said. */
function held({ events }: Ended): string | undefined {
  for (const line of linesOf(events, "traffic")) {
    const found = /held for ([\d.]+ s)/.exec(line);
    if (found?.[1] !== undefined) return found[1];
  }
  return undefined;
}

/** Where the dump lies, from what the backup effect and the end of the run said. */
function dumpOf({ events }: Ended): string {
  for (const line of linesOf(events, "verification")) {
    const found = /; dump: (.+)$/.exec(line);
    if (found?.[1] !== undefined) return found[1];
  }
  return "none was taken";
}

async function whatIsLive(stack: ScratchStack): Promise<{ live: string[]; schema: string[] }> {
  const answer = await fetch(`${stack.url}/health`);
  const containers = await stack.containers();
  const services = containers.filter(
    ({ labels, running }) => running && labels["rollback.part"] === "service",
  );
  const schema = await Promise.all(
    ["meal_planner", "mealie"].map(async (database) => {
      const [row] = await stack.query(database, "SELECT max(version) AS version FROM schema_migrations");
      return `${database} ${String(row?.["version"])}`;
    }),
  );
  const names = services.map(({ name }) => name);
  return {
    live: [`${stack.url} answers as ${answer.headers.get("x-release") ?? "unknown"}`, ...names],
    schema,
  };
}
