import { isRefusal } from "../../../settings/refusal.ts";
import { readSettings, type RawConfiguration } from "../../../settings/parse.ts";

/** The lines of the refusal `CONFIG_INVALID` that this configuration gets; none when it is accepted. */
export function mistakesIn(raw: RawConfiguration): readonly string[] {
  try {
    readSettings(raw);
    return [];
  } catch (error) {
    if (!isRefusal(error, "CONFIG_INVALID")) throw error;
    return error.message.split("\n").flatMap((line) => /^ {4}(rollback:.*)$/.exec(line)?.[1] ?? []);
  }
}
