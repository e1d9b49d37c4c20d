import type { ReversalPlace } from "../layouts/layout.ts";
import type { Migration } from "../types.ts";
import type { ScriptStatement } from "../sql/script.ts";
import { showName } from "../sql/names.ts";
import type { ProvenDraft } from "./prove.ts";

/** A draft as SQL with a header that says what it is and what it cannot bring back. */
export function draftText(
  { version, name }: Pick<Migration, "version" | "name">,
  draft: ProvenDraft & { readonly elsewhere?: string | undefined },
  up: readonly ScriptStatement[],
  markers: Markers | undefined,
): string {
  const cannot = [
    ...draft.warnings,
    ...draft.impossible.map((key) => `${key}, which has to be written by hand`),
    ...dataOf(up),
  ];
  const { elsewhere } = draft;
  const proof =
    draft.failed === undefined && draft.differences.length === 0 && elsewhere === undefined
      ? [
          "Proven on an empty copy of the schema: up, down, compared; up again, compared; down again, compared.",
        ]
      : [
          "NOT PROVEN:",
          ...(elsewhere === undefined ? [] : [`  ${elsewhere}; it was tried on theirs`]),
          ...(draft.failed === undefined ? [] : [`  ${draft.failed}`]),
          ...draft.differences.map((line) => `  ${line}`),
        ];
  const header = [
    `Reversal of ${version} ${name}, drafted from what the migration changed in the catalogue. Read it before you rely on it.`,
    ...proof,
    ...(cannot.length === 0 && proof.length === 1
      ? ["It brings back everything that the migration changed."]
      : cannot.length === 0
        ? []
        : ["It does not bring back, or needs your attention:", ...cannot.map((each) => `  - ${each}`)]),
  ];
  const comment = header.flatMap((line) => line.split("\n")).map((line) => `-- ${line}`.trimEnd());
  return `${comment.join("\n")}\n\n${draft.statements.map((sql) => bracketed(sql, markers)).join("\n")}\n`;
}

/** How a tool wants statements with semicolons inside set apart. */
export interface Markers {
  readonly begin: string;
  readonly end: string;
}

/** See `Markers`; undefined: the tool sends the file as a whole, or cuts it properly. */
export function statementMarkers({ marker }: ReversalPlace): Markers | undefined {
  const tool = /\+(goose|migrate) /.exec(marker ?? "")?.[1];
  return tool === undefined
    ? undefined
    : { begin: `-- +${tool} StatementBegin`, end: `-- +${tool} StatementEnd` };
}

/** A file with a reversal behind the marker; `text` is what the file holds now, undefined: there is no such file. */
export function placed(draft: string, { marker }: ReversalPlace, text: string | undefined): string {
  if (marker === undefined || text === undefined) return draft;
  const has = text.split(/\r?\n/).some((line) => line.trim() === marker);
  const end = text === "" || text.endsWith("\n") ? "" : "\n";
  return `${text}${end}${has ? "" : `\n${marker}\n`}${draft}`;
}

function bracketed(sql: string, markers: Markers | undefined): string {
  const inside = sql.includes(";") && markers !== undefined;
  return inside ? `${markers.begin}\n${sql};\n${markers.end}` : `${sql};`;
}

/** What the migration did to rows, which no catalogue tells of. */
function dataOf(up: readonly ScriptStatement[]): string[] {
  return up.flatMap(({ line, losses, opaque, fills, sql }) => {
    const rows = losses.flatMap((loss) =>
      loss.kind === "rows"
        ? [`rows of ${showName(loss.table)} that line ${String(line)} of the migration ${loss.how}d`]
        : loss.kind === "table" && loss.how === "truncate"
          ? [`the rows of ${showName(loss.table)}, emptied in line ${String(line)}`]
          : [],
    );
    if (opaque !== undefined) rows.push(`what ${opaque} in line ${String(line)} did to rows`);
    else if (fills && /^(insert|copy)\b/i.test(sql))
      rows.push(`line ${String(line)} of the migration puts rows in; the draft takes none of them out`);
    return rows;
  });
}
