import { setTimeout as sleep } from "node:timers/promises";
import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { sqlState } from "./errors.ts";
import { rowOf, rowsOf } from "./query.ts";
import { alterSystem, sameValue } from "./settings.ts";
import type { SettingChange, SettingsPlan } from "./settings.ts";
import type { SettingRecord } from "./settings-record.ts";
import { recordSetting } from "./settings-record.ts";

export interface SettingsApplied {
  /** Settings that wait for a restart, in PostgreSQL's own judgement; then restart and call `confirmServerSettings`. */
  readonly restart: readonly string[];
}

/**
 * Writes all changes with ALTER SYSTEM and reloads once. When PostgreSQL refuses one of them, those already written are
 * put back and nothing was reloaded: Refusal `SETTING_INVALID`. Repeating it is harmless.
 * What needs no restart is confirmed at once; else the record keeps the old entries until `confirmServerSettings`.
 */
export async function applyServerSettings(
  server: Server,
  plan: SettingsPlan,
  options: ConnectionOptions = {},
): Promise<SettingsApplied> {
  if (plan.changes.length === 0) return { restart: [] };
  const restart = await withClient(
    server,
    "postgres",
    async (client) => {
      await writeRecord(client, plan.recordMeanwhile);
      await writeAll(client, plan.changes);
      await reload(client);
      return pendingAmong(client, plan.changes);
    },
    options,
  );
  // Over a new connection: some settings (log_connections) only show in sessions that begin after the reload.
  if (restart.length === 0) await confirmServerSettings(server, plan, options);
  return { restart };
}

/** After the restart: every setting runs as planned, else Refusal `SETTING_NOT_IN_EFFECT`; then the record is brought up to date. */
export async function confirmServerSettings(
  server: Server,
  plan: SettingsPlan,
  options: ConnectionOptions = {},
): Promise<void> {
  await withClient(server, "postgres", (client) => confirm(client, plan), options);
}

async function confirm(client: ClientBase, plan: SettingsPlan): Promise<void> {
  const states = await readStates(client, plan.changes);
  const wrong = plan.changes.flatMap(({ name, to, write }) => {
    const state = states.get(name.toLowerCase());
    if (state === undefined) return [];
    if (state.pending_restart) return [`${name} waits for a restart`];
    // A value that the admin's role, database or session sets for itself hides the server's.
    const hidden = !/^(configuration file|default|override|command line)$/.test(state.source);
    if (to === undefined || hidden || sameValue(state.setting, to)) return [];
    return [`${name} is ${state.setting} (${state.source}), not ${write ?? to}`];
  });
  if (wrong.length > 0) {
    throw new Refusal({
      code: "SETTING_NOT_IN_EFFECT",
      found: `PostgreSQL took the settings but does not run them: ${wrong.join("; ")}.`,
      untouched: "The former record of settings was kept; `pulumi up` tries again.",
      next: "Look for the same setting on the server's command line, or restart the server.",
    });
  }
  await writeRecord(client, plan.record);
  await reload(client);
}

async function writeAll(client: ClientBase, changes: readonly SettingChange[]): Promise<void> {
  const done: SettingChange[] = [];
  for (const change of changes) {
    try {
      await client.query(alterSystem(change.name, change.write));
      done.push(change);
    } catch (error) {
      for (const { name, written } of done) await client.query(alterSystem(name, written));
      throw asRefusal(change, error);
    }
  }
}

async function writeRecord(client: ClientBase, record: SettingRecord): Promise<void> {
  const value = Object.keys(record).length === 0 ? null : JSON.stringify(record);
  // Up to 16 ALTER SYSTEM only takes names that this session knows.
  await client.query("select set_config($1, '', false)", [recordSetting]);
  await client.query(alterSystem(recordSetting, value));
}

/** Reloads and waits until this very session has read the files, so that pg_settings tells the new state. */
async function reload(client: ClientBase): Promise<void> {
  const loaded = z.object({ at: z.date() });
  const before = await rowOf(client, loaded, "select pg_conf_load_time() as at");
  await client.query("select pg_reload_conf()");
  for (let waited = 0; waited < 10_000; waited += 20) {
    await sleep(20);
    const { at } = await rowOf(client, loaded, "select pg_conf_load_time() as at");
    if (at > before.at) return;
  }
  throw new Refusal({
    code: "SETTING_NOT_IN_EFFECT",
    found: "PostgreSQL did not reload its configuration within 10 s.",
    next: "Look into the server's log for an error in its configuration files.",
  });
}

const stateSchema = z.object({
  name: z.string(),
  setting: z.string(),
  source: z.string(),
  pending_restart: z.boolean(),
});

async function readStates(
  client: ClientBase,
  changes: readonly SettingChange[],
): Promise<Map<string, z.output<typeof stateSchema>>> {
  const states = await rowsOf(
    client,
    stateSchema,
    "select name, setting, source, pending_restart from pg_settings where lower(name) = any($1)",
    [changes.map(({ name }) => name.toLowerCase())],
  );
  return new Map(states.map((state) => [state.name.toLowerCase(), state]));
}

async function pendingAmong(client: ClientBase, changes: readonly SettingChange[]): Promise<string[]> {
  const states = await readStates(client, changes);
  return changes
    .map(({ name }) => name)
    .filter((name) => states.get(name.toLowerCase())?.pending_restart === true);
}

function asRefusal({ name, write }: SettingChange, error: unknown): unknown {
  const state = sqlState(error);
  if (state === undefined) return error;
  const words = error instanceof Error ? error.message : "";
  return new Refusal({
    code:
      state === "42501" ? "SETTING_NOT_ALLOWED" : state === "42704" ? "SETTING_UNKNOWN" : "SETTING_INVALID",
    found: `rollback:cluster.settings.${name} = ${write ?? "(reset)"}: ${words}.`,
    untouched: "No setting was changed.",
    next: "Correct the line, then run `pulumi up` again.",
    cause: error,
  });
}
