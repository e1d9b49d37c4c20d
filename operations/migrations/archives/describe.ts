import Table from "cli-table3";
import type { Archive } from "./list.ts";

/** Archives as a table for people. */
export function describeArchives(archives: readonly Archive[]): string {
  if (archives.length === 0) return "nothing is archived";
  const table = new Table({
    head: ["", "from", "reversal of", "kept", "rows", "bytes", "at", "put back"],
    style: { head: [], border: [], compact: true },
    colAligns: ["right", "left", "left", "left", "right", "right", "left", "left"],
  });
  for (const archive of archives) {
    table.push([
      archive.id,
      archive.source,
      archive.migration,
      whatIsKept(archive),
      archive.rows.toLocaleString("en"),
      archive.bytes.toLocaleString("en"),
      archive.at,
      archive.restored === undefined ? "" : describePutBack(archive),
    ]);
  }
  return table.toString();
}

/** What became of an archive that was to be put back, on one line. */
export function describePutBack({ source, restored }: Archive): string {
  if (restored === undefined) return "not put back";
  if ("problem" in restored) return `not put back: ${restored.problem}`;
  const { inserted, updated, same, conflicts, gone, examples } = restored;
  const parts = [
    inserted > 0 ? `${inserted} rows inserted` : "",
    updated > 0 ? `${updated} rows set` : "",
    same > 0 ? `${same} were the same` : "",
    gone > 0 ? `${gone} do not exist any more` : "",
    conflicts > 0
      ? `${conflicts} of ${source} were changed since and are left alone (${examples.map((key) => JSON.stringify(key)).join(", ")}${conflicts > examples.length ? ", …" : ""})`
      : "",
  ].filter((text) => text !== "");
  return parts.join(", ") || "nothing to put back";
}

function whatIsKept({ how, lost }: Archive): string {
  const rows = { drop: "dropped", truncate: "emptied", delete: "deleted rows", update: "rows before UPDATE" };
  if (lost === undefined) return how in rows ? rows[how as keyof typeof rows] : how;
  return `${lost.join(", ")} ${how === "retype" ? "before conversion" : "dropped"}`;
}
