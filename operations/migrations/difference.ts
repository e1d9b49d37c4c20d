import { structuredPatch } from "diff";

/** Lines of a difference that are shown; the rest is counted. */
const shown = 30;

/** How a file differs from what was stored, as lines to put behind a message; empty when one of them is not known. */
export function difference(stored: string | undefined, file: string | undefined): string {
  if (stored === undefined || file === undefined) return "";
  const { hunks } = structuredPatch("stored", "file", stored, file, "", "", { context: 1 });
  const lines = hunks.flatMap((hunk) => [`@@ line ${hunk.oldStart} @@`, ...hunk.lines]);
  if (lines.length === 0) return "";
  const more = lines.length > shown ? [`… and ${lines.length - shown} more lines`] : [];
  return ["", "--- stored", "+++ file", ...lines.slice(0, shown), ...more].join("\n    ");
}
