import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { Refusal } from "../../../settings/refusal.ts";

const nothingChanged = "Nothing was changed.";

/** What lies in a migrations folder; texts are read when first asked for, each once. */
export interface FolderView {
  readonly path: string;
  /** Files relative to the folder with `/`, sorted, at any depth; hidden ones and `node_modules` are left out. */
  readonly files: readonly string[];
  /** See `readSqlFile`. */
  text(file: string): Promise<string>;
  /** A file as it is, for checksums that a tool takes over its bytes. */
  bytes(file: string): Promise<Buffer>;
  /** Texts of the SQL files right in the folder, for recognising markers. */
  readonly topTexts: ReadonlyMap<string, string>;
}

/** Looks into a folder. Throws a Refusal `MIGRATION_FOLDER` when it cannot be read. */
export async function viewFolder(path: string): Promise<FolderView> {
  let files: string[];
  try {
    const entries = await readdir(path, { withFileTypes: true, recursive: true });
    files = entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .filter((file) => !file.split("/").some((part) => part.startsWith(".") || part === "node_modules"))
      .sort();
  } catch (error) {
    throw new Refusal({
      code: "MIGRATION_FOLDER",
      found: `the migrations folder ${path} cannot be read (${errorCode(error)}).`,
      untouched: nothingChanged,
      next: "Point rollback:databases → migrations at the folder that holds the migrations.",
      cause: error,
    });
  }
  const texts = new Map<string, Promise<string>>();
  const text = (file: string): Promise<string> => {
    const known = texts.get(file) ?? asPromise(() => readSqlFile(path, file));
    texts.set(file, known);
    return known;
  };
  const bytes = (file: string): Promise<Buffer> => asPromise(() => readBytes(path, file));
  const topTexts = new Map<string, string>();
  for (const file of files.filter((each) => !each.includes("/") && each.endsWith(".sql"))) {
    // What cannot be read speaks for no layout; it is refused when it turns out to be a migration.
    const known = await text(file).catch(() => undefined);
    if (known !== undefined) topTexts.set(file, known);
  }
  return { path, files, text, bytes, topTexts };
}

/** Files right in the folder or in one of its subfolders (`in`), by name alone, that match; `undefined` groups are empty. */
export function matching(
  folder: FolderView,
  pattern: RegExp,
  subfolder?: string,
): { file: string; groups: string[] }[] {
  const prefix = subfolder === undefined ? "" : `${subfolder}/`;
  return folder.files.flatMap((file) => {
    if (!file.startsWith(prefix) || file.slice(prefix.length).includes("/")) return [];
    const match = pattern.exec(file.slice(prefix.length));
    return match === null
      ? []
      : [{ file, groups: match.slice(1).map((group) => (group as string | undefined) ?? "") }];
  });
}

/** The first file right in the folder whose text has the marker, for `recognise`. */
export function fileWith(folder: FolderView, marker: RegExp): string | undefined {
  for (const [file, text] of folder.topTexts) if (marker.test(text)) return file;
  return undefined;
}

/**
 * A SQL file as text: UTF-8, without byte order mark, CRLF as LF, so that a checkout on another system neither changes
 * a checksum nor the body of a function. Throws Refusals `MIGRATION_FILE` and `MIGRATION_ENCODING`.
 */
function readSqlFile(folder: string, file: string): string {
  return decodeSql(readBytes(folder, file), file);
}

/** What `work` returns or throws, as a promise. */
function asPromise<T>(work: () => T): Promise<T> {
  return Promise.resolve().then(work);
}

/** At once: for thousands of small files, handing each over to another thread four times costs ten times the reading. */
function readBytes(folder: string, file: string): Buffer {
  try {
    return readFileSync(join(folder, file));
  } catch (error) {
    throw new Refusal({
      code: "MIGRATION_FILE",
      found: `${join(folder, file)} cannot be read (${errorCode(error)}).`,
      untouched: nothingChanged,
      next: "Make the file readable, or take it out of the folder.",
      cause: error,
    });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** See `readSqlFile`. */
export function decodeSql(bytes: Uint8Array, file: string): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw badEncoding(file, "is not UTF-8", error);
  }
  if (text.includes("\0")) throw badEncoding(file, "contains a zero byte", undefined);
  return text.replaceAll("\r\n", "\n");
}

function badEncoding(file: string, what: string, cause: unknown): Refusal {
  return new Refusal({
    code: "MIGRATION_ENCODING",
    found: `${file} ${what}.`,
    untouched: nothingChanged,
    next: "Save the file as UTF-8.",
    cause,
  });
}

/** SHA-256 of a text, hex. */
export function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Throws `MIGRATION_DUPLICATE` when two files carry one version. */
export function refuseDuplicates(folder: string, files: readonly Numbered[]): void {
  const seen = new Map<string, string>();
  for (const { version, file } of files) {
    const other = seen.get(version);
    if (other !== undefined) {
      throw new Refusal({
        code: "MIGRATION_DUPLICATE",
        found: `${other} and ${file} in ${folder} both have the version ${version}.`,
        untouched: nothingChanged,
        next: "Give one of them another number.",
      });
    }
    seen.set(version, file);
  }
}

interface Numbered {
  readonly version: string;
  readonly file: string;
}

/**
 * File of the reversal by version, where migrations and reversals are files of their own. Throws `MIGRATION_DUPLICATE`, and
 * `MIGRATION_UP_MISSING` for a reversal without its migration.
 */
export function reversalFiles(
  folder: string,
  ups: readonly Numbered[],
  downs: readonly Numbered[],
): Map<string, string> {
  refuseDuplicates(folder, ups);
  refuseDuplicates(folder, downs);
  const versions = new Set(ups.map(({ version }) => version));
  const orphan = downs.find(({ version }) => !versions.has(version));
  if (orphan !== undefined) throw missingUp(folder, orphan.file, orphan.version);
  return new Map(downs.map(({ version, file }) => [version, file]));
}

/** A reversal without the migration that it reverses. */
function missingUp(folder: string, file: string, version: string): Refusal {
  return new Refusal({
    code: "MIGRATION_UP_MISSING",
    found: `${file} in ${folder} reverses version ${version}, but there is no migration ${version}.`,
    untouched: nothingChanged,
    next: "Put the migration back, or remove its reversal too.",
  });
}

/** A folder in which nothing looks like a migration. */
export function noMigrations(folder: string, expected: string): Refusal {
  return new Refusal({
    code: "MIGRATION_NONE",
    found: `${folder} holds no migrations; expected ${expected}.`,
    untouched: nothingChanged,
    next: "Point rollback:databases → migrations at the right folder, or correct its layout.",
  });
}

/** A file whose parts are not as the layout wants them. */
export function badFile(folder: string, file: string, what: string, next: string): Refusal {
  return new Refusal({
    code: "MIGRATION_FORMAT",
    found: `${file} in ${folder} ${what}.`,
    untouched: nothingChanged,
    next,
  });
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
