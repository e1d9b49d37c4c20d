import { archiveSettings } from "../../settings/archive.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { ServerObservation, SettingState } from "./observe.ts";
import type { SettingRecord } from "./settings-record.ts";
import { identifier, literal } from "./query.ts";

/** One server setting that changes. */
export interface SettingChange {
  readonly name: string;
  /** As it runs now, in base units. */
  readonly from: string;
  /** What will run, in base units; undefined: what the server has without us. */
  readonly to: string | undefined;
  /** Text for ALTER SYSTEM SET; null: RESET. */
  readonly write: string | null;
  /** Text in postgresql.auto.conf now; goes back there when a later one is refused. */
  readonly written: string | null;
  /** Takes effect only when the server is started anew. */
  readonly restart: boolean;
}

export interface SettingsPlan {
  readonly changes: readonly SettingChange[];
  /** Names that a reload is enough for. */
  readonly reload: readonly string[];
  /** Names that need a restart; PostgreSQL has the last word after the reload (`applyServerSettings`). */
  readonly restart: readonly string[];
  /** The record once everything is done. */
  readonly record: SettingRecord;
  /** The record while it is being done: what was ours before as well. */
  readonly recordMeanwhile: SettingRecord;
}

type Observed = Pick<ServerObservation, "settings" | "recorded">;

/** Set by the stack itself or by a recovery; a configuration of them would cut the stack off from its own server. */
const stackOwned =
  /^(port|listen_addresses|unix_socket_directories|data_directory|config_file|hba_file|ident_file|external_pid_file|archive_command|archive_library|restore_command|archive_cleanup_command|recovery_.*|primary_conninfo|primary_slot_name|rollback\..*)$/i;

/** Settings whose value is a list of quoted names; `ALTER SYSTEM` would take a whole text for one single name. From pg_dump, `variable_is_guc_list_quote`. */
const nameLists = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
]);

/**
 * The settings whose value PostgreSQL has to read first (`trySettings`), because their text is not the one recorded.
 * Empty when nothing changed, so an `up` without changes tries nothing. Refuses `SETTING_UNKNOWN` and `SETTING_INVALID`.
 */
export function settingsToTry(
  observed: Observed,
  desired: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  for (const [name, value] of desired)
    if (!isOwn(name, value)) refuseName(name, settingState(observed, name));
  return new Map([...desired].filter(([name, value]) => observed.recorded[name]?.value !== value));
}

/**
 * What has to be done so that the server runs `desired` and nothing else that was ours.
 * @param tried base-unit values of what `settingsToTry` named, as PostgreSQL read them.
 */
export function planServerSettings(
  observed: Observed,
  desired: ReadonlyMap<string, string>,
  tried: ReadonlyMap<string, string>,
): SettingsPlan {
  const record: Record<string, SettingRecord[string]> = {};
  const changes: SettingChange[] = [];

  for (const [name, value] of desired) {
    const state = settingState(observed, name);
    const entry = observed.recorded[name];
    const to = tried.get(name) ?? entry?.setting;
    if (to === undefined) throw new Error(`setting ${name} was not tried`);
    record[name] = {
      value,
      setting: to,
      before: entry === undefined ? (state?.written ?? null) : entry.before,
    };
    if (isInPlace(state, entry, value, to)) continue;
    refuseOverridden(name, value, to, state);
    changes.push(change(name, state, to, value));
  }

  for (const [name, entry] of Object.entries(observed.recorded)) {
    if (desired.has(name)) continue;
    const state = settingState(observed, name);
    changes.push(change(name, state, undefined, entry.before));
  }

  return {
    changes,
    reload: changes.filter(({ restart }) => !restart).map(({ name }) => name),
    restart: changes.filter(({ restart }) => restart).map(({ name }) => name),
    record,
    recordMeanwhile: { ...observed.recorded, ...record },
  };
}

/**
 * The names that differ from `desired`, by what a change of them takes, without PostgreSQL having read the new values:
 * for the look at the program's start and for previews. A text that means the same as before counts as different.
 */
export function differingSettings(
  observed: Observed,
  desired: ReadonlyMap<string, string>,
): { readonly reload: readonly string[]; readonly restart: readonly string[] } {
  const wanted = [...desired].filter(([name, value]) => {
    const entry = observed.recorded[name];
    return entry === undefined || !isInPlace(settingState(observed, name), entry, value, entry.setting);
  });
  const names = [
    ...wanted.map(([name]) => name),
    ...Object.keys(observed.recorded).filter((name) => !desired.has(name)),
  ];
  const needsRestart = (name: string): boolean => settingState(observed, name)?.context === "postmaster";
  return { reload: names.filter((name) => !needsRestart(name)), restart: names.filter(needsRestart) };
}

/** One line per change, e.g. `work_mem: 4096 kB → 64MB (reload)`. */
export function describeSettings(plan: SettingsPlan, observed: Pick<Observed, "settings">): string[] {
  return plan.changes.map(({ name, from, write, restart }) => {
    const unit = settingState(observed, name)?.unit;
    const now = from === "" ? "''" : `${from}${unit == null ? "" : ` × ${unit}`}`;
    return `${name}: ${now} → ${write ?? "the server's own value"} (${restart ? "restart" : "reload"})`;
  });
}

/** `ALTER SYSTEM` for one setting; null takes it out. */
export function alterSystem(name: string, value: string | null): string {
  // A name with a dot is one of an extension or ours; each part is an identifier.
  const quoted = name.split(".").map(identifier).join(".");
  if (value === null) return `ALTER SYSTEM RESET ${quoted}`;
  const texts = nameLists.has(name.toLowerCase()) ? listItems(value) : [value];
  return `ALTER SYSTEM SET ${quoted} = ${texts.map(literal).join(", ")}`;
}

/** The names of a list such as `pg_stat_statements, "Odd Name"`; an empty list is one empty name. */
function listItems(value: string): string[] {
  const items = [...value.matchAll(/"((?:[^"]|"")*)"|[^,\s][^,]*/g)].map(
    ([text, quoted]) => quoted?.replaceAll('""', '"') ?? text.trim(),
  );
  return items.length === 0 ? [""] : items;
}

function change(
  name: string,
  state: SettingState | undefined,
  to: string | undefined,
  write: string | null,
): SettingChange {
  return {
    name,
    from: state?.setting ?? "",
    to,
    write,
    written: state?.written ?? null,
    restart: state?.context === "postmaster" && (state.pendingRestart || state.setting !== to),
  };
}

function isInPlace(
  state: SettingState | undefined,
  entry: SettingRecord[string] | undefined,
  value: string,
  to: string,
): boolean {
  if (state === undefined || entry?.value !== value) return false;
  return state.written !== null && !state.pendingRestart && sameValue(state.setting, to);
}

/** Octal settings are shown as `0600` and read as 384. */
export function sameValue(shown: string, read: string): boolean {
  return shown === read || (/^0[0-7]+$/.test(shown) && String(parseInt(shown, 8)) === read);
}

/** The state of a setting whatever the case of its name: `timezone` is PostgreSQL's `TimeZone`. */
export function settingState(
  { settings }: Pick<Observed, "settings">,
  name: string,
): SettingState | undefined {
  return (
    settings.get(name) ?? [...settings.values()].find((s) => s.name.toLowerCase() === name.toLowerCase())
  );
}

/** What the stack itself sets, with the very value that it sets. */
function isOwn(name: string, value: string): boolean {
  return archiveSettings.some(([own, text]) => own === name && text === value);
}

function refuseName(name: string, state: SettingState | undefined): void {
  const refusal = (code: string, found: string, next: string): Refusal =>
    new Refusal({
      code,
      found: `rollback:cluster.settings.${name} ${found}`,
      untouched: "Nothing was changed.",
      next,
    });
  if (stackOwned.test(name)) {
    throw refusal(
      "SETTING_INVALID",
      "is the stack's own.",
      "Take the line out; the stack sets it where needed.",
    );
  }
  if (state?.context === "internal") {
    throw refusal("SETTING_INVALID", "can only be read.", "Take the line out.");
  }
  // Names with a dot belong to extensions, whose library may come with this very change.
  if (state === undefined && !name.includes(".")) {
    throw refusal(
      "SETTING_UNKNOWN",
      "is no setting of this PostgreSQL.",
      "Correct the name or take the line out.",
    );
  }
}

function refuseOverridden(name: string, value: string, to: string, state: SettingState | undefined): void {
  if (state?.source !== "command line" || sameValue(state.setting, to)) return;
  throw new Refusal({
    code: "SETTING_OVERRIDDEN",
    found: `rollback:cluster.settings.${name} = ${value} cannot take effect: the server was started with -c ${name}=${state.setting}.`,
    untouched: "Nothing was changed.",
    next: "Take the line out of the configuration, or the option out of the container's command.",
  });
}
