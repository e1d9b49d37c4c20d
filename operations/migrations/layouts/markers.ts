import type { FolderView } from "./files.ts";
import { fileWith } from "./files.ts";

/** Marker lines of tools that keep both directions in one file, as each tool itself recognises them. */
export const markers = {
  // https://github.com/amacneil/dbmate/blob/main/pkg/dbmate/migration.go
  dbmate: { up: /^--\s*migrate:up(?:\s*$|\s+(\S.*))/m, down: /^--\s*migrate:down(?:\s*$|\s+(\S.*))/m },
  // https://github.com/pressly/goose/blob/main/internal/sqlparser/parser.go
  goose: { up: /^-+\s*\+goose\s+Up\s*$()/im, down: /^-+\s*\+goose\s+Down\s*$()/im },
  // https://github.com/rubenv/sql-migrate/blob/master/sqlparse/sqlparse.go
  "sql-migrate": {
    up: /^-- \+migrate \s*Up(?:\s*$|[ \t]+(\S.*))/m,
    down: /^-- \+migrate \s*Down(?:\s*$|[ \t]+(\S.*))/m,
  },
  // https://github.com/salsita/node-pg-migrate/blob/main/src/sqlMigration.ts
  "node-pg-migrate": { up: /^\s*--[\s-]*up\s+migration()/im, down: /^\s*--[\s-]*down\s+migration()/im },
} as const;

/** The tool whose marker is in one of the folder's files, and the file; undefined: none. */
export function anyMarker(folder: FolderView): { tool: keyof typeof markers; file: string } | undefined {
  for (const [tool, { up, down }] of Object.entries(markers)) {
    const file = fileWith(folder, up) ?? fileWith(folder, down);
    if (file !== undefined && isTool(tool)) return { tool, file };
  }
  return undefined;
}

function isTool(name: string): name is keyof typeof markers {
  return Object.hasOwn(markers, name);
}

/** A part of a file that begins with a marker line. */
export interface Section {
  readonly direction: "up" | "down";
  /** What stands behind the marker on its line. */
  readonly options: string;
  /** Text after the marker's line. */
  readonly text: string;
}

/** A text in which the marker for the end of a statement ends it for the parser as well. */
export function withStatementEnds(text: string): string {
  return text.replaceAll(/^-+[ \t]*\+(?:goose|migrate)[ \t]+StatementEnd[ \t]*$/gim, ";");
}

/** Whether there are no statements, only comments and empty lines. */
export function onlyComments(text: string): boolean {
  return text.split("\n").every((line) => /^\s*(--.*)?$/.test(line));
}

/** Cuts a text at the tool's marker lines; `before` is what stands in front of the first. */
export function sections(text: string, tool: keyof typeof markers): { before: string; sections: Section[] } {
  const { up, down } = markers[tool];
  const found: { direction: "up" | "down"; options: string; from: number; to: number }[] = [];
  for (const [direction, pattern] of [
    ["up", up],
    ["down", down],
  ] as const) {
    for (const match of text.matchAll(new RegExp(pattern, `${pattern.flags}g`))) {
      const lineEnd = text.indexOf("\n", match.index + match[0].trimEnd().length);
      found.push({
        direction,
        options: (match[1] ?? "").trim(),
        from: match.index,
        to: lineEnd === -1 ? text.length : lineEnd + 1,
      });
    }
  }
  found.sort((a, b) => a.from - b.from);
  return {
    before: text.slice(0, found[0]?.from ?? text.length),
    sections: found.map(({ direction, options, to }, index) => ({
      direction,
      options,
      text: text.slice(to, found[index + 1]?.from ?? text.length),
    })),
  };
}
