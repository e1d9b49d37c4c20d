/** The runbook, in its order. A name is part of the state: never rename one. */
export const effectNames = [
  "preflight",
  "takeover",
  "backup",
  "front",
  "fence",
  "recovery",
  "reset",
  "ready",
  "schema",
  "flags",
  "containers",
  "caches",
  "traffic",
  "verification",
] as const;
export type EffectName = (typeof effectNames)[number];
