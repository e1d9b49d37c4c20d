import { access, constants, open, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../../settings/refusal.ts";
import type { Front } from "./front-config.ts";

/** The file that the stack keeps in that nginx's folder; undefined: there is none. Throws the Refusal `FRONT_FOLDER`. */
export async function readFrontFile({
  file,
  mark,
}: Pick<Front, "file" | "mark">): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw folderRefusal(file, `${file} cannot be read: ${words(error)}`, error);
  }
  if (text.startsWith(`${mark}\n`)) return text;
  throw folderRefusal(file, `${file} is there and is not this stack's.`);
}

/** Refuses a folder that is none, or in which nothing can be written. */
export async function checkFrontFolder(folder: string): Promise<void> {
  try {
    if (!(await stat(folder)).isDirectory()) throw folderRefusal(folder, `${folder} is no folder.`);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw folderRefusal(folder, `nothing can be written in ${folder}: ${words(error)}`, error);
  }
}

/**
 * Puts the file there, or takes it away: whole or not at all, also through a power cut. The name it is written under first
 * matches neither `*.conf` nor `*`, so that an nginx which starts at that moment does not read it.
 */
export async function writeFrontFile(file: string, text: string | undefined): Promise<void> {
  const folder = path.dirname(file);
  try {
    if (text === undefined) await rm(file, { force: true });
    else {
      const beside = path.join(folder, `.${path.basename(file)}.new`);
      await rm(beside, { force: true });
      const handle = await open(beside, "wx", 0o644);
      try {
        await handle.writeFile(text);
        // The process may have a narrower mask, and that nginx another user.
        await handle.chmod(0o644);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(beside, file);
    }
    const entry = await open(folder, "r");
    await entry.sync().finally(() => entry.close());
  } catch (error) {
    throw folderRefusal(
      file,
      `${file} cannot be ${text === undefined ? "removed" : "written"}: ${words(error)}`,
      error,
    );
  }
}

function folderRefusal(where: string, found: string, cause?: unknown): Refusal {
  return new Refusal({
    code: "FRONT_FOLDER",
    found,
    untouched: "That nginx's configuration is as it was.",
    next: `rollback:gateway.existing.folder needs a folder that whoever runs \`pulumi up\` may write in:  ls -la ${where}`,
    cause,
  });
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => error.code === code);
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
