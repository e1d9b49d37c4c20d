import { z } from "zod";

/**
 * Which server settings this project made, kept in postgresql.auto.conf itself as a setting of our own: the record
 * travels with the volume, needs no database to exist and is written by the same means as the settings.
 * It holds what the configuration says in clear anyway.
 */
export const recordSetting = "rollback.settings";

const entrySchema = z.object({
  /** Text of the configuration, e.g. `64MB`. */
  value: z.string(),
  /** The same in base units, as PostgreSQL read it, e.g. `65536`. */
  setting: z.string(),
  /** Text that ALTER SYSTEM had written before this project came; put back when the setting leaves the configuration. */
  before: z.string().nullable(),
});

export const recordSchema = z.record(z.string(), entrySchema);

/** Setting → what was made of it. Names are written as in the configuration. */
export type SettingRecord = Readonly<Record<string, Readonly<z.output<typeof entrySchema>>>>;
