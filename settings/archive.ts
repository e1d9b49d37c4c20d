/** What PostgreSQL is told so that every segment of its WAL reaches the archive. */

/** In the data directory, so that the server finds it wherever its volume goes; left out of base backups. */
export const archiveConfigName = "rollback-pgbackrest.conf";

/** Beside a configuration of pgBackRest: whom it trusts, if that is configured. */
export const certificateOf = (config: string): string => `${config}.pem`;

/** Data directory inside every container of PostgreSQL. */
export const dataFolder = "/var/lib/postgresql/data";

/** pgBackRest's name for the one cluster that a repository of ours holds. */
export const stanza = "main";

/** Server settings of a stack with `cluster.backup.schedule`. Without one they are PostgreSQL's own: no archive, no cost. */
export const archiveSettings: readonly (readonly [string, string])[] = [
  ["archive_mode", "on"],
  [
    "archive_command",
    `pgbackrest --config=${dataFolder}/${archiveConfigName} --stanza=${stanza} archive-push %p`,
  ],
  ["archive_timeout", "60s"],
];

/** Server settings with `cluster.backup.changes`: past this much WAL a slot is given up, so that the disk does not fill. */
export const changesSettings = ({ keep }: { readonly keep: number }): (readonly [string, string])[] => [
  ["max_slot_wal_keep_size", `${keep}MB`],
];
