import { docker } from "../docker/run.ts";

/** Flags of one service of one release, as they stand in a file that its containers see. */
export interface FlagsFile {
  readonly file: string;
  readonly flags: ReadonlyMap<string, string>;
}

/** Folder of the flags volume inside the router, the one container that may write it. */
const folder = "/var/lib/flags";

/** The file's text; keys in order, so that the same flags give the same bytes. */
export function flagsText(flags: ReadonlyMap<string, string>): string {
  const sorted = [...flags].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}

/**
 * Writes each file whose content differs, whole or not at all (temporary file and rename), and returns the names of
 * those it changed with the milliseconds since the epoch of their last change.
 */
export async function writeFlags(
  router: string,
  files: readonly FlagsFile[],
): Promise<Map<string, { changed: boolean; at: number }>> {
  const written = await Promise.all(
    files.map(async ({ file, flags }) => {
      const answer = await docker(["exec", "-i", router, "sh", "-c", script, "flags", `${folder}/${file}`], {
        input: flagsText(flags),
      });
      const [state, seconds] = answer.split(" ");
      return [file, { changed: state === "changed", at: Number(seconds) * 1000 }] as const;
    }),
  );
  return new Map(written);
}

const script = `
umask 022
cat > "$1.new" || exit 1
if cmp -s "$1.new" "$1"; then rm "$1.new"; state=same; else mv "$1.new" "$1"; state=changed; fi
echo "$state $(stat -c %Y "$1")"
`;
