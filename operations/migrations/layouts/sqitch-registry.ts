import { literal } from "../../database/query.ts";
import type { SqitchChange } from "./sqitch-plan.ts";

/** Sqitch's registry 1.1, as it makes it itself: lib/App/Sqitch/Engine/pg.sql. */
export const registry = `
CREATE SCHEMA IF NOT EXISTS sqitch;
CREATE TABLE sqitch.releases (version real PRIMARY KEY, installed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  installer_name text NOT NULL, installer_email text NOT NULL);
INSERT INTO sqitch.releases (version, installer_name, installer_email) VALUES (1.1, session_user, session_user || '@rollback');
CREATE TABLE sqitch.projects (project text PRIMARY KEY, uri text UNIQUE, created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  creator_name text NOT NULL, creator_email text NOT NULL);
CREATE TABLE sqitch.changes (change_id text PRIMARY KEY, script_hash text, change text NOT NULL,
  project text NOT NULL REFERENCES sqitch.projects (project) ON UPDATE CASCADE, note text NOT NULL DEFAULT '',
  committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name text NOT NULL, committer_email text NOT NULL,
  planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL, UNIQUE (project, script_hash));
CREATE TABLE sqitch.tags (tag_id text PRIMARY KEY, tag text NOT NULL,
  project text NOT NULL REFERENCES sqitch.projects (project) ON UPDATE CASCADE,
  change_id text NOT NULL REFERENCES sqitch.changes (change_id) ON UPDATE CASCADE, note text NOT NULL DEFAULT '',
  committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name text NOT NULL, committer_email text NOT NULL,
  planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL, UNIQUE (project, tag));
CREATE TABLE sqitch.dependencies (change_id text NOT NULL REFERENCES sqitch.changes (change_id) ON UPDATE CASCADE ON DELETE CASCADE,
  type text NOT NULL, dependency text NOT NULL,
  dependency_id text REFERENCES sqitch.changes (change_id) ON UPDATE CASCADE CONSTRAINT dependencies_check CHECK (
    (type = 'require' AND dependency_id IS NOT NULL) OR (type = 'conflict' AND dependency_id IS NULL)),
  PRIMARY KEY (change_id, dependency));
CREATE TABLE sqitch.events (event text NOT NULL CONSTRAINT events_event_check CHECK (event IN ('deploy', 'revert', 'fail', 'merge')),
  change_id text NOT NULL, change text NOT NULL, project text NOT NULL REFERENCES sqitch.projects (project) ON UPDATE CASCADE,
  note text NOT NULL DEFAULT '', requires text[] NOT NULL DEFAULT '{}', conflicts text[] NOT NULL DEFAULT '{}', tags text[] NOT NULL DEFAULT '{}',
  committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name text NOT NULL, committer_email text NOT NULL,
  planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL, PRIMARY KEY (change_id, committed_at))`;

/** What Sqitch writes when it has deployed a change; see its DBIEngine.pm (log_deploy_change). */
export function deployed(facts: Readonly<Record<string, string>>): string[] {
  const project = literal(facts["project"] ?? "");
  const uri = facts["uri"] === "" || facts["uri"] === undefined ? "NULL" : literal(facts["uri"]);
  // Written by `read` above, into the same program's memory.
  const change = JSON.parse(facts["change"] ?? "{}") as SqitchChange;
  const id = literal(change.id);
  const planned = (entry: SqitchChange["tags"][number]) =>
    `${literal(entry.date)}, ${literal(entry.planner)}, ${literal(entry.email)}`;
  const committer = "clock_timestamp(), session_user, session_user || '@rollback'";
  const array = (texts: readonly string[]) => `ARRAY[${texts.map(literal).join(", ")}]::text[]`;
  const dependency = (type: string, name: string, on: string | undefined) =>
    `INSERT INTO sqitch.dependencies (change_id, type, dependency, dependency_id) VALUES (${id}, ${literal(type)}, ${literal(name)}, ${
      type === "conflict" ? "NULL" : on === undefined ? elsewhere(name) : deployedChange(project, name, on)
    })`;
  return [
    `INSERT INTO sqitch.projects (project, uri, creator_name, creator_email) VALUES (${project}, ${uri}, session_user, session_user || '@rollback') ON CONFLICT DO NOTHING`,
    `INSERT INTO sqitch.changes (change_id, script_hash, change, project, note, committed_at, committer_name, committer_email, planned_at, planner_name, planner_email)
     VALUES (${id}, ${literal(facts["hash"] ?? "")}, ${literal(change.name)}, ${project}, ${literal(change.note)}, ${committer}, ${planned(change)})`,
    ...change.requires.map(({ name, id: on }) => dependency("require", name, on)),
    ...change.conflicts.map((name) => dependency("conflict", name, undefined)),
    ...change.tags.map(
      (tag) =>
        `INSERT INTO sqitch.tags (tag_id, tag, project, change_id, note, committed_at, committer_name, committer_email, planned_at, planner_name, planner_email)
         VALUES (${literal(tag.id)}, ${literal(tag.name)}, ${project}, ${id}, ${literal(tag.note)}, ${committer}, ${planned(tag)})`,
    ),
    `INSERT INTO sqitch.events (event, change_id, change, project, note, requires, conflicts, tags, committed_at, committer_name, committer_email, planned_at, planner_name, planner_email)
     VALUES ('deploy', ${id}, ${literal(change.name)}, ${project}, ${literal(change.note)}, ${array(change.requires.map(({ name }) => name))}, ${array(change.conflicts)},
       ${array(change.tags.map(({ name }) => name))}, ${committer}, ${planned(change)})`,
  ];
}

/** By id; where the plan was rewritten since, by name. */
function deployedChange(project: string, name: string, id: string): string {
  const byName = `project = ${project} AND change = ${literal(name.replace(/^[^:@]*:/, "").replace(/@.*$/, ""))}`;
  return `(SELECT change_id FROM sqitch.changes WHERE change_id = ${literal(id)} OR (${byName}) ORDER BY change_id = ${literal(id)} DESC, committed_at DESC LIMIT 1)`;
}

/** A change of another project, `project:name` with or without a tag: only the registry knows it. */
function elsewhere(dependency: string): string {
  const [project = "", rest = ""] = dependency.split(":");
  const [change = ""] = rest.split("@");
  return `(SELECT change_id FROM sqitch.changes WHERE project = ${literal(project)} AND change = ${literal(change)} ORDER BY committed_at DESC LIMIT 1)`;
}

/** What Sqitch writes when it has reverted a change: the newest instance of that name goes, and an event tells of it. */
export function reverted(version: string, project: string | undefined): string {
  const [name = version] = version.split("#");
  const of = project === undefined ? "" : ` AND project = ${literal(project)}`;
  const newest = `(SELECT change_id FROM sqitch.changes WHERE change = ${literal(name)}${of} ORDER BY committed_at DESC LIMIT 1)`;
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
