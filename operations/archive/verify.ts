import type { BaseBackup } from "./info.ts";
import { parseInfo } from "./info.ts";
import { inServer } from "./pgbackrest.ts";

/**
 * Reads the whole archive: every file of every base backup and every segment against its checksum, and whether a segment is missing
 * between the first and the last. Empty: all is well. `ARCHIVE_FAILED` when it cannot be read at all.
 */
export async function archiveProblems(container: string): Promise<string[]> {
  const { archiveId, backups } = parseInfo(await inServer(container, "info", ["--output=json"]));
  if (archiveId === undefined) return ["there is no archive yet"];
  const verified = verifyProblems(await inServer(container, "verify", ["--output=text"]));
  const listed = await inServer(container, "repo-ls", ["--recurse", `archive/main/${archiveId}`]);
  const names = listed.match(/(?<=^|\/)[0-9A-F]{24}(?=-[0-9a-f]{40})/gm) ?? [];
  return [...verified, ...gaps(names, backups)];
}

/**
 * What `pgbackrest verify --output=text` found, a line each; empty: nothing. Its exit code is 0 all the same (2.55). Pure.
 */
export function verifyProblems(printed: string): string[] {
  if (/^status: ok$/m.test(printed)) return [];
  const lines = printed.split("\n").map((line) => line.trim());
  const problems = lines.flatMap((line, index) => {
    const [, what, total, valid] = /^(.*), total .* checked: (\d+), total valid .*: (\d+)$/.exec(line) ?? [];
    if (what === undefined || total === valid) return [];
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
