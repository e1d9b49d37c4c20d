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
    if (touched(context)) for (const line of declared(context)) say(line);
  },
  carryOut: async (run) => {
    run.requires("schema");
    const { settings, names } = run.context;
    if (!touched(run.context)) return;
    for (const { name, pattern, all } of settings.caches.values()) {
      const cleared = await clearRedis(
        names.cache(name),
        all || pattern === undefined ? { all: true } : { pattern },
        run.status,
      );
      run.say(`${name}: ${cleared} keys cleared (${all ? "everything" : (pattern ?? "")})`);
    }
    for (const { name, sessions } of settings.databases.values()) {
      if (sessions === undefined) continue;
      const cleared = await clearSessions(operatorAccess(settings), name, ownerRole(name), sessions);
      run.say(`${name}: ${cleared} sessions cleared`);
    }
  },
};

/** Caches are cleared only when code or schema changed, and not when there was nothing before. */
function touched({ change }: RunContext): boolean {
  return (
    change.kind !== "first deployment" &&
    change.schema.length + change.arriving.length + change.leaving.length > 0
  );
}

function declared({ settings }: RunContext): string[] {
  return [
    ...[...settings.caches.values()].map(
      ({ name, pattern, all }) => `clears ${all ? "everything" : (pattern ?? "")} in ${name}`,
    ),
    ...[...settings.databases.values()].flatMap(({ name, sessions }) =>
      sessions === undefined ? [] : [`clears sessions of ${name} where ${sessions.where}`],
    ),
  ];
}
