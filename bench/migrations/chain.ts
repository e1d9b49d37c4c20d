/** One migration of a chain, as plain SQL. */
export interface Link {
  readonly version: number;
  readonly name: string;
  readonly up: string;
  readonly down: string;
}

/** So many migrations of a table and an index each; what reverses them drops both. */
export function chain(length: number): Link[] {
  return Array.from({ length }, (_, index) => {
    const version = index + 1;
    const table = `t${String(version)}`;
    return {
      version,
      name: table,
      up: `CREATE TABLE ${table} (id int PRIMARY KEY, name text NOT NULL, made timestamptz DEFAULT now());\nCREATE INDEX ${table}_name ON ${table} (name);\n`,
      down: `DROP INDEX ${table}_name;\nDROP TABLE ${table};\n`,
    };
  });
}

/** Path → text of the files of a chain. */
export type Files = Readonly<Record<string, string>>;

const padded = ({ version }: Link): string => String(version).padStart(6, "0");

/** As golang-migrate keeps them, which is what ours reads here as well. */
export function golangMigrateFiles(links: readonly Link[]): Files {
  return Object.fromEntries(
    links.flatMap((link) => [
      [`${padded(link)}_${link.name}.up.sql`, link.up],
      [`${padded(link)}_${link.name}.down.sql`, link.down],
    ]),
  );
}

/** As dbmate keeps them. */
export function dbmateFiles(links: readonly Link[]): Files {
  return Object.fromEntries(
    links.map((link) => [
      `${padded(link)}_${link.name}.sql`,
      `-- migrate:up\n${link.up}\n-- migrate:down\n${link.down}`,
    ]),
  );
}

/** As node-pg-migrate keeps them. */
export function nodePgMigrateFiles(links: readonly Link[]): Files {
  return Object.fromEntries(
    links.map((link) => [
      `${padded(link)}_${link.name}.sql`,
      `-- Up Migration\n${link.up}\n-- Down Migration\n${link.down}`,
    ]),
  );
}

/** Everything that reverses a chain, newest first, as one script. */
export function reversal(links: readonly Link[]): string {
  return links
    .toReversed()
    .map((link) => link.down)
    .join("");
}
