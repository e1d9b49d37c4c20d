import { archiveProblems } from "../../operations/archive/verify.ts";
import { brokenDumps, listDumps, verifyDump } from "../../operations/backup/list.ts";
import { withHelper } from "../../operations/backup/place.ts";
import { isRefusal, Refusal } from "../../settings/refusal.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";

/** Reads every dump and, if there is one, the whole archive; refuses with `BACKUP_DAMAGED` and everything that was found. */
export async function verifyBackups(settings: Settings, say: (line: string) => void): Promise<void> {
  const problems = [...(await dumpProblems(settings, say)), ...(await wholeArchive(settings, say))];
  if (problems.length === 0) return;
  throw new Refusal({
    code: "BACKUP_DAMAGED",
    found: `${problems.join("; ")}.`,
    untouched: "Nothing was changed.",
    next: "Do not count on what is named. Look at the disk it lies on, then make a new one:  npx rollback backup --type full",
  });
}

async function dumpProblems(settings: Settings, say: (line: string) => void): Promise<string[]> {
  const { image, backup } = settings.cluster;
  const stack = stackNames(settings).network;
  const helper = { image, repository: backup.repository, server: undefined, prefix: stack };
  return withHelper({ ...helper, labels: stackLabels(settings, "dump") }, async (place) => {
    const found: string[] = [];
    const dumps = await listDumps(place, stack);
    for (const dump of dumps) {
      const { problems } = await verifyDump(place, dump);
      found.push(...problems.slice(0, 3).map((problem) => `${dump.name}: ${problem}`));
      say(`${dump.name}: ${problems.length === 0 ? "good" : `DAMAGED, ${problems[0] ?? ""}`}`);
    }
    const broken = await brokenDumps(place, stack, dumps);
    for (const name of broken) say(`${name}: DAMAGED, its manifest is gone or cannot be read`);
    if (dumps.length + broken.length === 0) say("there are no dumps yet");
    return [...found, ...broken.map((name) => `${name}: its manifest is gone or cannot be read`)];
  });
}

async function wholeArchive(settings: Settings, say: (line: string) => void): Promise<string[]> {
  const { cluster } = settings;
  if (cluster.kind !== "own" || cluster.backup.schedule === undefined) return [];
  say("reading the archive …");
  const problems = await readArchive(stackNames(settings).postgres);
  for (const problem of problems) say(`archive: DAMAGED, ${problem}`);
  if (problems.length === 0) say("archive: good");
  return problems;
}

/** An archive that cannot be read at all must not hide what was found of the dumps. */
async function readArchive(container: string): Promise<string[]> {
  try {
    return await archiveProblems(container);
  } catch (error) {
    if (!isRefusal(error, "ARCHIVE_FAILED")) throw error;
    return [error.details.found.replace(/\.$/, "")];
  }
}
