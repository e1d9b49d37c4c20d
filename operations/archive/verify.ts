import type { BaseBackup } from "./info.ts";
import { parseInfo } from "./info.ts";
import { inServer, pgbackrest, runArchive, serverConfig } from "./pgbackrest.ts";

/**
 * Reads the whole archive: every file of every base backup and every segment against its checksum, and whether a segment is missing
 * between the first and the last. Empty: all is well. `ARCHIVE_FAILED` when it cannot be read at all.
 */
export async function archiveProblems(container: string): Promise<string[]> {
  const { exists, archiveId, backups, damaged } = parseInfo(
    await inServer(container, "info", ["--output=json"]),
  );
  if (!exists || archiveId === undefined) return ["there is no archive yet"];
  const verified = verifyProblems(await inServer(container, "verify", ["--output=text"]));
  const listed = await inServer(container, "repo-ls", ["--recurse", `archive/main/${archiveId}`]);
  const names = listed.match(/(?<=^|\/)[0-9A-F]{24}(?=-[0-9a-f]{40})/gm) ?? [];
  const labels = [...backups.map(({ label }) => label), ...damaged].sort();
  const described = [
    ...["archive/main/archive.info", "backup/main/backup.info"],
    ...labels.map((label) => `backup/main/${label}/backup.manifest`),
  ];
  return [
    ...verified,
    ...copyProblems(
      await runArchive(container, [
        ...["bash", "-c", copiesScript, "sh", String(described.length), ...described],
        ...pgbackrest(serverConfig, "repo-get"),
      ]),
    ),
    ...damaged.map((label) => `backup: ${label} holds damaged pages: so did the database when it was made`),
    ...gaps(names, backups),
  ];
}

/** Prints of each file its name, its checksum and that of its copy, tabs between; `-` for one that cannot be read. */
const copiesScript = `set -o pipefail; files=("\${@:2:$1}"); shift $(($1 + 1))
sum() { "$@" 2>/dev/null | sha256sum || echo -; }
for file in "\${files[@]}"; do printf '%s\\t%s\\t%s\\n' "$file" "$(sum "$@" "$file" | tail -n 1)" "$(sum "$@" "$file.copy" | tail -n 1)"; done`;

/**
 * What describes the archive is kept twice, and pgBackRest takes the copy without a word. It does not miss a backup that is
 * gone as a whole either (2.55). Pure.
 */
export function copyProblems(printed: string): string[] {
  return printed.split("\n").flatMap((line) => {
    const [file = "", one, other] = line.split("\t");
    if (file === "" || (one === other && one !== "-")) return [];
    if (one === "-" && other === "-") return [`${file} is gone or cannot be read, and so is its copy`];
    if (one === "-" || other === "-") {
      const [bad, good] = one === "-" ? [file, `${file}.copy`] : [`${file}.copy`, file];
      return [`${bad} is gone or cannot be read; ${good} is used in its place`];
    }
    return [`${file} and its copy differ: one of the two is damaged`];
  });
}

/**
 * What `pgbackrest verify --output=text` found, a line each; empty: nothing. Its exit code is 0 all the same (2.55). Pure.
 */
export function verifyProblems(printed: string): string[] {
  if (/^status: ok$/m.test(printed)) return [];
  const lines = printed.split("\n").map((line) => line.trim());
  const problems = lines.flatMap((line, index) => {
    const [, what, total, valid] = /^(.*), total .* checked: (\d+), total valid .*: (\d+)$/.exec(line) ?? [];
    if (what === undefined) return [];
    if (total === "0" && what.includes("status: invalid")) return [`${what}: it cannot be read`];
    if (total === valid) return [];
    const how = lines[index + 1] ?? "";
    return [`${what}: ${Number(total) - Number(valid)} of ${String(total)} files are damaged (${how})`];
  });
  return problems.length > 0 ? problems : lines.filter((line) => line !== "");
}

/** Segments that are missing within a timeline; neither `info` nor `verify` of pgBackRest counts them. Pure. */
export function gaps(
  names: readonly string[],
  backups: readonly Pick<BaseBackup, "startSegment">[],
): string[] {
  const starts = new Set(backups.map(({ startSegment }) => startSegment));
  const missing = [...starts].filter((name) => !names.includes(name)).map((name) => ({ name, count: 1 }));
  for (const timeline of Map.groupBy([...names].sort(), (name) => name.slice(0, 8)).values()) {
    for (const [index, name] of timeline.entries()) {
      const next = timeline[index + 1];
      const count = next === undefined ? 0 : numberOf(next) - numberOf(name) - 1;
      if (count > 0) missing.push({ name: segmentAfter(name), count });
    }
  }
  const told = new Map(missing.map((each) => [each.name, each]));
  return [...told.values()].map(({ name, count }) =>
    count === 1 ? `WAL: ${name} is missing` : `WAL: ${count} segments are missing, the first is ${name}`,
  );
}

/** 256 segments of 16 MB have the same middle part. */
function numberOf(name: string): number {
  return Number.parseInt(name.slice(8, 16), 16) * 256 + Number.parseInt(name.slice(16), 16);
}

function segmentAfter(name: string): string {
  const number = numberOf(name) + 1;
  const part = (value: number): string => value.toString(16).toUpperCase().padStart(8, "0");
  return `${name.slice(0, 8)}${part(Math.floor(number / 256))}${part(number % 256)}`;
}
