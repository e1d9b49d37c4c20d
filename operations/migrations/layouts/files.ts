import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Refusal } from "../../../settings/refusal.ts";

const nothingChanged = "Nothing was changed.";

/** Names in a folder, sorted. Throws a Refusal `MIGRATION_FOLDER`; with `optional` a missing folder is empty. */
export async function listFolder(folder: string, optional = false): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.map((entry) => entry.name).sort();
  } catch (error) {
    if (optional && errorCode(error) === "ENOENT") return [];
    throw new Refusal({
      code: "MIGRATION_FOLDER",
      found: `the migrations folder ${folder} cannot be read (${errorCode(error)}).`,
      untouched: nothingChanged,
      next: "Point rollback:databases → migrations at the folder that holds the migrations.",
      cause: error,
    });
  }
}

/**
 * A SQL file as text: UTF-8, without byte order mark, CRLF as LF, so that a checkout on another system neither changes
 * a checksum nor the body of a function. Throws Refusals `MIGRATION_FILE` and `MIGRATION_ENCODING`.
 */
export async function readSqlFile(folder: string, file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(folder, file));
  } catch (error) {
    throw new Refusal({
      code: "MIGRATION_FILE",
      found: `${join(folder, file)} cannot be read (${errorCode(error)}).`,
      untouched: nothingChanged,
      next: "Make the file readable, or take it out of the folder.",
      cause: error,
    });
  }
  return decodeSql(bytes, file);
}

/** See `readSqlFile`. */
export function decodeSql(bytes: Uint8Array, file: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
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
export function refuseDuplicates(
  folder: string,
  files: readonly { readonly version: string; readonly file: string }[],
): void {
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

/** A reversal without the migration that it reverses. */
export function missingUp(folder: string, file: string, version: string): Refusal {
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

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
