import { z } from "zod";
import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { rowOf } from "./query.ts";
import { recordSchema, recordSetting } from "./settings-record.ts";
import type { SettingRecord } from "./settings-record.ts";
import { roleStateSchema, roleStateSelect } from "./roles.ts";
import type { RoleState } from "./roles.ts";
import { slotSchema, slotsSelect, type Slot } from "./slots.ts";

/** What to look for on a server. */
export interface ObserveQuestion {
  /** Roles by name, e.g. `writers`. */
  readonly roles: readonly string[];
  /** Roles whose name begins so, e.g. `meal_planner_`. */
  readonly rolePrefixes: readonly string[];
  /** Names of server settings. Those that this project set earlier are added. */
  readonly settings: readonly string[];
}

/** A server setting as it runs. */
export interface SettingState {
  readonly name: string;
  /** In base units, as in `pg_settings.setting`. */
  readonly setting: string;
  readonly unit: string | null;
  /** When a change takes effect: `postmaster` means restart. */
  readonly context: string;
  readonly vartype: string;
  /** Where the value comes from, e.g. `default`, `configuration file`, `command line`. */
  readonly source: string;
  readonly pendingRestart: boolean;
  /** Text in postgresql.auto.conf (what ALTER SYSTEM wrote), null when there is none. */
  readonly written: string | null;
}

export interface ServerObservation {
  /** e.g. `17.5 (Debian 17.5-1)`. */
  readonly version: string;
  readonly major: number;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly inRecovery: boolean;
  /** Segment of the WAL that could not be archived, or has waited for it for minutes. */
  readonly unarchived: string | null;
  readonly maxPreparedTransactions: number;
  /** Slots of ours, oldest first. */
  readonly slots: readonly Slot[];
  readonly roles: ReadonlyMap<string, RoleState>;
  /** Database → owner. Templates are left out. */
  readonly databases: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, SettingState>;
  /** Settings that this project set, see `settings-record.ts`. */
  readonly recorded: SettingRecord;
}

const settingSchema = z.object({
  name: z.string(),
  setting: z.string(),
  unit: z.string().nullable(),
  context: z.string(),
  vartype: z.string(),
  source: z.string(),
  pendingRestart: z.boolean(),
  written: z.string().nullable(),
});

const observationSchema = z.object({
  version: z.string(),
  versionNumber: z.coerce.number(),
  systemIdentifier: z.string(),
  timeline: z.number(),
  inRecovery: z.boolean(),
  unarchived: z.string().nullable(),
  maxPreparedTransactions: z.coerce.number(),
  slots: z.array(slotSchema),
  roles: z.array(roleStateSchema),
  databases: z.array(z.object({ name: z.string(), owner: z.string() })),
  settings: z.array(settingSchema),
  recorded: recordSchema,
});

/**
 * SQL for the timeline that is being written. The control file names the one of the last checkpoint, which lags behind
 * a promotion, so it is asked only where nothing is written.
 */
export const currentTimeline = `
  case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint())
       else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end`;

/** Looks at the whole server once: one connection, two round trips. Reads only. */
export async function observeServer(
  server: Server,
  question: ObserveQuestion,
  options: ConnectionOptions & { readonly database?: string } = {},
): Promise<ServerObservation> {
  const { observation } = await withClient(
    server,
    options.database ?? "postgres",
    async (client) => {
      const { superuser } = await rowOf(
        client,
        z.object({ superuser: z.boolean() }),
        "select current_setting('is_superuser')::bool as superuser",
      );
      return rowOf(client, z.object({ observation: observationSchema }), observationSelect(superuser), [
        question.roles,
        question.rolePrefixes,
        question.settings,
      ]);
    },
    options,
  );
  return {
    ...observation,
    major: Math.floor(observation.versionNumber / 10_000),
    roles: new Map(observation.roles.map((role) => [role.name, role])),
    databases: new Map(observation.databases.map(({ name, owner }) => [name, owner])),
    settings: new Map(observation.settings.map((setting) => [setting.name, setting])),
  };
}

/** What ALTER SYSTEM wrote. Only a superuser may read it; settings are changed only where we are one, on our own server. */
const writtenSelect = `
  select lower(name) as name, (array_agg(setting order by seqno desc))[1] as setting
    from pg_file_settings where sourcefile like '%/postgresql.auto.conf' and name is not null group by 1`;

/** An archive command that hangs has not failed yet: its segment is seen by its age. */
const unarchivedSelect = `case when current_setting('archive_mode') <> 'off' then coalesce(
      (select last_failed_wal from pg_stat_archiver where last_failed_time > coalesce(last_archived_time, '-infinity')),
      (select min(left(name, 24)) from pg_ls_archive_statusdir()
        where name ~ '^[0-9A-F]{24}[.]ready$' and modification < now() - interval '2 minutes'
          and (select coalesce(last_archived_time, '-infinity') < now() - interval '2 minutes' from pg_stat_archiver)))
    end`;

const observationSelect = (superuser: boolean): string => `
  with written as (${superuser ? writtenSelect : "select '' as name, '' as setting where false"}),
  record as (
    select coalesce((select setting from written where name = '${recordSetting}'), '{}')::json as value
  )
  select json_build_object(
    'version', current_setting('server_version'),
    'versionNumber', current_setting('server_version_num'),
    'systemIdentifier', (select system_identifier::text from pg_control_system()),
    'timeline', ${currentTimeline},
    'inRecovery', pg_is_in_recovery(),
    'unarchived', ${superuser ? unarchivedSelect : "null"},
    'maxPreparedTransactions', current_setting('max_prepared_transactions'),
    'slots', (${slotsSelect}),
    'roles', coalesce((select json_agg(role) from (${roleStateSelect}
        where r.rolname = any($1) or exists (select from unnest($2::text[]) p where starts_with(r.rolname, p))
        order by 1) role), '[]'),
    'databases', coalesce((select json_agg(json_build_object('name', datname, 'owner', pg_get_userbyid(datdba)))
        from pg_database where not datistemplate), '[]'),
    'settings', coalesce((select json_agg(json_build_object(
          'name', s.name, 'setting', s.setting, 'unit', s.unit, 'context', s.context, 'vartype', s.vartype,
          'source', s.source, 'pendingRestart', s.pending_restart,
          'written', (select w.setting from written w where w.name = lower(s.name))))
        from pg_settings s
       where lower(s.name) in (select lower(n) from unnest($3::text[]) n
                               union select lower(k) from record, json_object_keys(record.value) k)), '[]'),
    'recorded', (select value from record)
  ) as observation`;
