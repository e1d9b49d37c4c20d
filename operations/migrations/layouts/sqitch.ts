import { createHash } from "node:crypto";
import { literal } from "../../database/query.ts";
import type { Migration } from "../types.ts";
import { badFile, checksum, noMigrations } from "./files.ts";
import type { FolderView } from "./files.ts";
import type { LayoutReader } from "./layout.ts";
import { parseSqitchPlan } from "./sqitch-plan.ts";
import type { SqitchChange, SqitchPlan } from "./sqitch-plan.ts";
import { registry } from "./sqitch-registry.ts";

const planFile = "sqitch.plan";

/**
 * Sqitch: the folder with `sqitch.plan`, scripts in `deploy`, `revert` and `verify`; the registry in schema `sqitch`.
 * A version is a change's name, for an earlier instance of a reworked change `name@tag`.
 */
export const sqitch: LayoutReader = {
  name: "sqitch",
  normalise: (version) => (/^[^\s:#[\]\\]+$/.test(version) ? version : undefined),
  // Names have no order; the plan has.
  compare: undefined,
  outOfOrder: false,

  recognise: (folder) => folder.files.find((file) => file === planFile),

  async readFiles(folder) {
    if (!folder.files.includes(planFile)) throw noMigrations(folder.path, planFile);
    const plan = parseSqitchPlan(await folder.text(planFile), folder.path);
    return Promise.all(plan.changes.map((change) => read(folder, plan, change)));
  },

  trackingTable: {
    schema: "sqitch",
    table: "changes",
    ownSchema: true,
    columns: ["change_id", "change", "project", "script_hash"],
    create: registry,
    // A change that was reworked is known by the first tag behind it, as its scripts are.
    read: `SELECT c.change || CASE WHEN EXISTS (SELECT FROM sqitch.changes later WHERE later.project = c.project AND later.change = c.change
        AND later.committed_at > c.committed_at)
      THEN coalesce((SELECT t.tag FROM sqitch.tags t JOIN sqitch.changes tagged USING (change_id)
        WHERE t.project = c.project AND tagged.committed_at >= c.committed_at ORDER BY tagged.committed_at, t.committed_at LIMIT 1), '') ELSE '' END AS version,
      true AS success FROM sqitch.changes c ORDER BY c.committed_at`,
    record: (migrations) => migrations.flatMap((migration) => deployed(migration.facts ?? {})).join("; "),
    remove: (migrations) => migrations.map(({ version }) => reverted(version)).join("; "),
  },
};

async function read(folder: FolderView, plan: SqitchPlan, change: SqitchChange): Promise<Migration> {
  const script = async (kind: string): Promise<string | undefined> => {
    const file = `${kind}/${change.scriptName}.sql`;
    return folder.files.includes(file) ? folder.text(file) : undefined;
  };
  const up = await script("deploy");
  if (up === undefined) {
    throw badFile(
      folder.path,
      planFile,
      `names ${change.name}, but there is no deploy/${change.scriptName}.sql`,
      "Put it back.",
    );
  }
  return {
    version: change.scriptName,
    name: change.name,
    file: `deploy/${change.scriptName}.sql`,
    up,
    down: await script("revert"),
    verify: await script("verify"),
    transactional: true,
    checksum: checksum(up),
    facts: {
      project: plan.project,
      uri: plan.uri ?? "",
      change: JSON.stringify(change),
      hash: createHash("sha1").update(up).digest("hex"),
    },
  };
}

/** What Sqitch writes when it has deployed a change; see its DBIEngine.pm (log_deploy_change). */
function deployed(facts: Readonly<Record<string, string>>): string[] {
  const project = literal(facts["project"] ?? "");
  const uri = facts["uri"] === "" || facts["uri"] === undefined ? "NULL" : literal(facts["uri"]);
  // Written by `read` above, into the same program's memory.
  const change = JSON.parse(facts["change"] ?? "{}") as SqitchChange;
  const id = literal(change.id);
  const planned = (entry: SqitchChange["tags"][number]) =>
    `${literal(entry.date)}, ${literal(entry.planner)}, ${literal(entry.email)}`;
  const committer = "clock_timestamp(), session_user, session_user || '@rollback'";
  const array = (texts: readonly string[]) => `ARRAY[${texts.map(literal).join(", ")}]::text[]`;
  const dependency = (type: string, name: string) =>
    `INSERT INTO sqitch.dependencies (change_id, type, dependency, dependency_id) VALUES (${id}, ${literal(type)}, ${literal(name)}, ${
      type === "require"
        ? `(SELECT change_id FROM sqitch.changes WHERE project = ${project} AND (change = ${literal(name.replace(/@.*$/, ""))} OR change_id = ${literal(name)}) ORDER BY committed_at DESC LIMIT 1)`
        : "NULL"
    })`;
  return [
    `INSERT INTO sqitch.projects (project, uri, creator_name, creator_email) VALUES (${project}, ${uri}, session_user, session_user || '@rollback') ON CONFLICT DO NOTHING`,
    `INSERT INTO sqitch.changes (change_id, script_hash, change, project, note, committed_at, committer_name, committer_email, planned_at, planner_name, planner_email)
     VALUES (${id}, ${literal(facts["hash"] ?? "")}, ${literal(change.name)}, ${project}, ${literal(change.note)}, ${committer}, ${planned(change)})`,
    ...change.requires.map((name) => dependency("require", name)),
    ...change.conflicts.map((name) => dependency("conflict", name)),
    ...change.tags.map(
      (tag) =>
        `INSERT INTO sqitch.tags (tag_id, tag, project, change_id, note, committed_at, committer_name, committer_email, planned_at, planner_name, planner_email)
         VALUES (${literal(tag.id)}, ${literal(tag.name)}, ${project}, ${id}, ${literal(tag.note)}, ${committer}, ${planned(tag)})`,
    ),
    `INSERT INTO sqitch.events (event, change_id, change, project, note, requires, conflicts, tags, committed_at, committer_name, committer_email, planned_at, planner_name, planner_email)
     VALUES ('deploy', ${id}, ${literal(change.name)}, ${project}, ${literal(change.note)}, ${array(change.requires)}, ${array(change.conflicts)},
       ${array(change.tags.map(({ name }) => name))}, ${committer}, ${planned(change)})`,
  ];
}

/** What Sqitch writes when it has reverted a change: the newest instance of that name goes, and an event tells of it. */
function reverted(version: string): string {
  const [name = version] = version.split("@");
  const newest = `(SELECT change_id FROM sqitch.changes WHERE change = ${literal(name)} ORDER BY committed_at DESC LIMIT 1)`;
  return `WITH gone AS (SELECT * FROM sqitch.changes WHERE change_id = ${newest})
    INSERT INTO sqitch.events (event, change_id, change, project, note, requires, conflicts, tags, committed_at, committer_name, committer_email, planned_at, planner_name, planner_email)
    SELECT 'revert', change_id, change, project, note,
      coalesce((SELECT array_agg(dependency) FROM sqitch.dependencies d WHERE d.change_id = gone.change_id AND type = 'require'), '{}'),
      coalesce((SELECT array_agg(dependency) FROM sqitch.dependencies d WHERE d.change_id = gone.change_id AND type = 'conflict'), '{}'),
      coalesce((SELECT array_agg(tag) FROM sqitch.tags t WHERE t.change_id = gone.change_id), '{}'),
      clock_timestamp(), session_user, session_user || '@rollback', planned_at, planner_name, planner_email FROM gone;
    DELETE FROM sqitch.tags WHERE change_id = ${newest};
    DELETE FROM sqitch.dependencies WHERE change_id = ${newest};
    DELETE FROM sqitch.changes WHERE change_id = ${newest}`;
}
