import { clearFiles } from "../operations/caches/files.ts";
import { clearRedis } from "../operations/caches/redis.ts";
import { clearSessions } from "../operations/database/sessions.ts";
import { operatorAccess } from "../operations/plan/access.ts";
import { ownerRole } from "../settings/names.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition } from "./effect.ts";

/** What other releases or schemas left in caches and sessions goes, after the schema and before the traffic. */
export const caches: EffectDefinition = {
  name: "caches",
  preview: ({ context, say }) => {
    if (context.change.code) for (const line of declared(context)) say(line);
  },
  carryOut: async (run) => {
    run.requires("schema");
    const { settings, names } = run.context;
    if (!run.context.change.code) return;
    for (const { name, pattern, all } of settings.caches.values()) {
      const cleared = await clearRedis(
        names.cache(name),
        all || pattern === undefined ? { all: true } : { pattern },
        run.status,
      );
      run.say(`${name}: ${cleared} keys cleared (${all ? "everything" : (pattern ?? "")})`);
    }
    for (const { name, volume, files } of settings.fileCaches.values()) {
      const { count, bytes } = await clearFiles(volume, files);
      run.say(`${name}: ${count} files (${megabytes(bytes)}) removed that match ${files} in ${volume}`);
    }
    for (const { name, sessions } of settings.databases.values()) {
      if (sessions === undefined) continue;
      const cleared = await clearSessions(operatorAccess(settings), name, ownerRole(name), sessions);
      run.say(`${name}: ${cleared} sessions cleared`);
    }
  },
};

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function declared({ settings }: RunContext): string[] {
  return [
    ...[...settings.caches.values()].map(
      ({ name, pattern, all }) => `clears ${all ? "everything" : (pattern ?? "")} in ${name}`,
    ),
    ...[...settings.fileCaches.values()].map(
      ({ volume, files }) => `removes files that match ${files} in ${volume}`,
    ),
    ...[...settings.databases.values()].flatMap(({ name, sessions }) =>
      sessions === undefined ? [] : [`clears sessions of ${name} where ${sessions.where}`],
    ),
  ];
}
