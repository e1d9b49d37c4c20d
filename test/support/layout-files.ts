import { createHash } from "node:crypto";
import { literal } from "../../operations/database/query.ts";
import type { Layout } from "../../settings/types.ts";
import type { SetMigration } from "./migration-set.ts";

/** A set of migrations as a tool would keep it. */
export interface LayoutFiles {
  readonly files: Record<string, string>;
  /** Versions in order, as the reader is to name them. */
  readonly versions: readonly string[];
  /** What the tool itself would have left in the database when the first `count` were applied by it. */
  readonly tracked: (count: number) => string;
}

type Writer = (set: readonly SetMigration[]) => LayoutFiles;

const number = (index: number, digits = 3) => String(index + 1).padStart(digits, "0");
const stamp = (index: number) => `20260102${String(30405 + index).padStart(6, "0")}`;
const list = (count: number, value: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => value(index)).join(", ");

function files(
  set: readonly SetMigration[],
  of: (each: SetMigration, index: number) => [string, string][],
): Record<string, string> {
  return Object.fromEntries(set.flatMap(of));
}

/** How each layout is written; the bookkeeping is written out by hand and not by the code under test. */
export const layoutFiles: Readonly<Record<Layout, Writer>> = {
  "meal-planner": (set) => ({
    files: files(set, ({ name, up, down }, i) => [
      [`${number(i)}_${name}.sql`, up],
      [`rollback/${number(i)}_revert_${name}.sql`, down],
    ]),
    versions: set.map((_, i) => String(i + 1)),
    tracked: (count) =>
      `CREATE TABLE schema_migrations (version int PRIMARY KEY, success boolean NOT NULL, installed_on timestamptz DEFAULT now());
       INSERT INTO schema_migrations VALUES ${list(count, (i) => `(${i + 1}, true)`)}`,
  }),
  "golang-migrate": (set) => ({
    files: files(set, ({ name, up, down }, i) => [
      [`${number(i, 6)}_${name}.up.sql`, up],
      [`${number(i, 6)}_${name}.down.sql`, down],
    ]),
    versions: set.map((_, i) => String(i + 1)),
    tracked: (count) =>
      `CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null);
       INSERT INTO schema_migrations VALUES (${count}, false)`,
  }),
  dbmate: (set) => ({
    files: files(set, ({ name, up, down }, i) => [
      [`${stamp(i)}_${name}.sql`, `-- migrate:up\n${up}\n\n-- migrate:down\n${down}\n`],
    ]),
    versions: set.map((_, i) => stamp(i)),
    tracked: (count) =>
      `CREATE TABLE schema_migrations (version varchar(128) primary key);
       INSERT INTO schema_migrations VALUES ${list(count, (i) => `('${stamp(i)}')`)}`,
  }),
  diesel: (set) => ({
    files: files(set, ({ name, up, down }, i) => {
      const folder = `2026-01-02-${String(30405 + i).padStart(6, "0")}_${name}`;
      return [
        [`${folder}/up.sql`, up],
        [`${folder}/down.sql`, down],
      ];
    }),
    versions: set.map((_, i) => stamp(i)),
    tracked: (count) =>
      `CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
       INSERT INTO __diesel_schema_migrations (version) VALUES ${list(count, (i) => `('${stamp(i)}')`)}`,
  }),
  flyway: (set) => ({
    files: files(set, ({ name, up, down }, i) => [
      [`V1.${i + 1}__${name}.sql`, up],
      [`undo/U1_${i + 1}__${name}.sql`, down],
    ]),
    versions: set.map((_, i) => `1.${i + 1}`),
    tracked: (count) =>
      `CREATE TABLE flyway_schema_history (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL,
         type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INTEGER, installed_by VARCHAR(100) NOT NULL,
         installed_on TIMESTAMP NOT NULL DEFAULT now(), execution_time INTEGER NOT NULL, success BOOLEAN NOT NULL);
       INSERT INTO flyway_schema_history VALUES ${list(count, (i) => `(${i + 1}, '1.${i + 1}', 'x', 'SQL', 'V1.${i + 1}__x.sql', 1, 'me', now(), 1, true)`)}`,
  }),
  goose: (set) => ({
    files: files(set, ({ name, up, down }, i) => [
      [
        `${number(i, 5)}_${name}.sql`,
        `-- +goose Up\n-- +goose StatementBegin\n${up}\n-- +goose StatementEnd\n\n-- +goose Down\n${down}\n`,
      ],
    ]),
    versions: set.map((_, i) => String(i + 1)),
    tracked: (count) =>
      `CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NULL default now());
       INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (999, true), (999, false), ${list(count, (i) => `(${i + 1}, true)`)}`,
  }),
  "node-pg-migrate": (set) => ({
    files: files(set, ({ name, up, down }, i) => [
      [`${1700000000000 + i}_${name}.sql`, `-- Up Migration\n${up}\n\n-- Down Migration\n${down}\n`],
    ]),
    versions: set.map(({ name }, i) => `${1700000000000 + i}_${name}`),
    tracked: (count) =>
      `CREATE TABLE pgmigrations (id SERIAL PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL);
       INSERT INTO pgmigrations (name, run_on) VALUES ${list(count, (i) => `('${1700000000000 + i}_${set[i]?.name ?? ""}', now())`)}`,
  }),
  "sql-migrate": (set) => ({
    files: files(set, ({ name, up, down }, i) => [
      [
        `${i + 1}-${name}.sql`,
        `-- +migrate Up\n-- +migrate StatementBegin\n${up}\n-- +migrate StatementEnd\n-- +migrate Down\n${down}\n`,
      ],
    ]),
    versions: set.map(({ name }, i) => `${i + 1}-${name}`),
    tracked: (count) =>
      `CREATE TABLE gorp_migrations (id text not null primary key, applied_at timestamp with time zone);
       INSERT INTO gorp_migrations VALUES ${list(count, (i) => `('${i + 1}-${set[i]?.name ?? ""}.sql', now())`)}`,
  }),
  sqitch: (set) => sqitchFiles(set),
  "graphile-migrate": (set) => {
    const hashes = graphileHashes(set);
    return {
      files: files(set, ({ up }, i) => [
        [
          `committed/${number(i, 6)}.sql`,
          `--! Previous: ${hashes[i - 1] ?? "-"}\n--! Hash: ${hashes[i] ?? ""}\n\n${up}\n`,
        ],
      ]),
      versions: set.map((_, i) => String(i + 1)),
      tracked: (count) =>
        `CREATE SCHEMA graphile_migrate; CREATE TABLE graphile_migrate.migrations (hash text primary key, previous_hash text references graphile_migrate.migrations, filename text not null, date timestamptz not null default now());
         INSERT INTO graphile_migrate.migrations VALUES ${list(count, (i) => `('${hashes[i] ?? ""}', ${i === 0 ? "NULL" : `'${hashes[i - 1] ?? ""}'`}, '${number(i, 6)}.sql')`)}`,
    };
  },
  atlas: (set) => ({
    files: { ...files(set, ({ name, up }, i) => [[`${stamp(i)}_${name}.sql`, up]]), "atlas.sum": "h1:x=\n" },
    versions: set.map((_, i) => stamp(i)),
    tracked: (count) =>
      `CREATE SCHEMA atlas_schema_revisions; CREATE TABLE atlas_schema_revisions.atlas_schema_revisions (version character varying NOT NULL PRIMARY KEY,
         description character varying NOT NULL, type bigint NOT NULL DEFAULT 2, applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0,
         executed_at timestamptz NOT NULL, execution_time bigint NOT NULL, error text, error_stmt text, hash character varying NOT NULL,
         partial_hashes jsonb, operator_version character varying NOT NULL);
       INSERT INTO atlas_schema_revisions.atlas_schema_revisions VALUES ${list(count, (i) => `('${stamp(i)}', 'x', 2, 3, 3, now(), 5, NULL, NULL, 'h', NULL, 'v')`)}`,
  }),
};

function graphileHashes(set: readonly SetMigration[]): string[] {
  const hashes: string[] = [];
  for (const { up } of set) {
    const text = `${`${hashes.at(-1) ?? ""}\n${up.trim()}`.trim()}\n`;
    hashes.push(`sha1:${createHash("sha1").update(text).digest("hex")}`);
  }
  return hashes;
}

function sqitchFiles(set: readonly SetMigration[]): LayoutFiles {
  const date = (i: number) => `2026-01-02T03:04:${String(i).padStart(2, "0")}Z`;
  const line = ({ name }: SetMigration, i: number) =>
    `${name}${i === 0 ? "" : ` [${set[i - 1]?.name ?? ""}]`} ${date(i)} Ann <ann@example.org> # adds ${name}`;
  const lines = set.flatMap((each, i) =>
    i === 9 ? [line(each, i), `@v1.0 ${date(i)} Ann <ann@example.org> # first`] : [line(each, i)],
  );
  return {
    files: {
      "sqitch.plan": `%syntax-version=1.0.0\n%project=shop\n\n${lines.join("\n")}\n`,
      ...files(set, ({ name, up, down }) => [
        [`deploy/${name}.sql`, `BEGIN;\n${up}\nCOMMIT;\n`],
        [`revert/${name}.sql`, `BEGIN;\n${down}\nCOMMIT;\n`],
        [`verify/${name}.sql`, "BEGIN;\nSELECT 1;\nROLLBACK;\n"],
      ]),
    },
    versions: set.map(({ name }) => name),
    tracked: (count) =>
      `CREATE SCHEMA sqitch;
       CREATE TABLE sqitch.projects (project text PRIMARY KEY, uri text UNIQUE, created_at timestamptz NOT NULL DEFAULT clock_timestamp(), creator_name text NOT NULL, creator_email text NOT NULL);
       CREATE TABLE sqitch.changes (change_id text PRIMARY KEY, script_hash text, change text NOT NULL, project text NOT NULL REFERENCES sqitch.projects, note text NOT NULL DEFAULT '',
         committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name text NOT NULL, committer_email text NOT NULL, planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL);
       CREATE TABLE sqitch.tags (tag_id text PRIMARY KEY, tag text NOT NULL, project text NOT NULL, change_id text NOT NULL REFERENCES sqitch.changes, note text NOT NULL DEFAULT '',
         committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name text NOT NULL, committer_email text NOT NULL, planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL);
       CREATE TABLE sqitch.dependencies (change_id text NOT NULL REFERENCES sqitch.changes ON DELETE CASCADE, type text NOT NULL, dependency text NOT NULL, dependency_id text REFERENCES sqitch.changes, PRIMARY KEY (change_id, dependency));
       CREATE TABLE sqitch.events (event text NOT NULL, change_id text NOT NULL, change text NOT NULL, project text NOT NULL REFERENCES sqitch.projects, note text NOT NULL DEFAULT '', requires text[] NOT NULL DEFAULT '{}',
         conflicts text[] NOT NULL DEFAULT '{}', tags text[] NOT NULL DEFAULT '{}', committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name text NOT NULL, committer_email text NOT NULL,
         planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL, PRIMARY KEY (change_id, committed_at));
       INSERT INTO sqitch.projects (project, creator_name, creator_email) VALUES ('shop', 'Ann', 'ann@example.org');
       ${set
         .slice(0, count)
         .map(
           ({ name }, i) =>
             `INSERT INTO sqitch.changes (change_id, change, project, committer_name, committer_email, planned_at, planner_name, planner_email)
              VALUES ('id${i}', ${literal(name)}, 'shop', 'Ann', 'a@e.org', now(), 'Ann', 'a@e.org')`,
         )
         .join("; ")}`,
  };
}
