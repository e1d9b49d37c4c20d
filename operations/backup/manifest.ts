import { z } from "zod";

/** Written last, into a dump that was read back in full: a folder with a manifest is a dump that was good once. */
export const manifestFile = "manifest.json";

const fileSchema = z.object({
  path: z.string(),
  bytes: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const databaseSchema = z.object({
  name: z.string(),
  /** Folder of its dump in directory format, relative to the manifest. */
  folder: z.string(),
  /** Version of the application's schema, null when there was none. */
  schemaVersion: z.string().nullable(),
  /** Entries of the archive's table of contents, and those of them that are table data. */
  entries: z.number(),
  tables: z.number(),
  bytes: z.number(),
  /** Size of its tables on the server, without indexes. */
  tableBytes: z.number(),
  seconds: z.number(),
});

export const manifestSchema = z.object({
  format: z.literal(1),
  /** `<project>-<stack>`. */
  stack: z.string(),
  revision: z.string(),
  /** Releases that were live, heaviest first. */
  releases: z.array(z.string()),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  server: z.object({
    version: z.string(),
    systemIdentifier: z.string(),
    timeline: z.number(),
    /** Where the log was before the first database was dumped. */
    lsn: z.string(),
  }),
  databases: z.array(databaseSchema),
  /** Roles and tablespaces, without passwords. */
  globals: z.string(),
  /** Every file but the manifest. */
  files: z.array(fileSchema),
});

export type DumpManifest = Readonly<z.output<typeof manifestSchema>>;
export type DumpedDatabase = Readonly<z.output<typeof databaseSchema>>;
export type DumpedFile = Readonly<z.output<typeof fileSchema>>;

/** `<stack>-20261122T233249Z-<revision>`: sorts by time, and says whose it is and which run made it. */
export function dumpName(stack: string, time: Date, revision: string): string {
  const stamp = time.toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  return `${stack}-${stamp}-${revision.replaceAll(/[^A-Za-z0-9.]/g, "").slice(0, 36)}`;
}

/** Whether a folder's name is that of a dump of this stack; `shop-prod` has nothing to do with `shop-prod-2`. */
export function isDumpOf(stack: string, folder: string): boolean {
  return (
    folder.startsWith(`${stack}-`) && /^\d{8}T\d{6}Z-[A-Za-z0-9.]+$/.test(folder.slice(stack.length + 1))
  );
}

/** Folder for a database whose name may hold anything. */
export function databaseFolder(name: string): string {
  const safe = encodeURIComponent(name).replaceAll("*", "%2A");
  return `db-${safe}`;
}

/** The lines of `sha256sum` and of `find -printf '%s %P\n'` as files, sorted by path. Pure. */
export function filesFrom(sums: string, sizes: string): DumpedFile[] {
  const bytes = new Map(
    lines(sizes).map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(space + 1), Number(line.slice(0, space))];
    }),
  );
  return lines(sums)
    .map((line) => {
      const path = line.slice(66).replace(/^\.\//, "");
      return { path, sha256: line.slice(0, 64), bytes: bytes.get(path) ?? 0 };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Entries of `pg_restore --list`, and how many of them are table data. Pure. */
export function countEntries(list: string): { readonly entries: number; readonly tables: number } {
  const entries = lines(list).filter((line) => !line.startsWith(";"));
  return { entries: entries.length, tables: entries.filter((line) => / TABLE DATA /.test(line)).length };
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
