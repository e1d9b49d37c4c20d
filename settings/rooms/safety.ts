import { oneOf, strict } from "../shapes.ts";
import { duration, percent } from "../units.ts";

/** How careful a change is: the thresholds of the seed runbook (5 % errors, 5 s) unless told otherwise. */
export const safety = strict({
  lockTimeout: duration("1ms", "10s", "100ms").prefault("100ms"),
  errorRate: percent.default(5),
  responseTime: duration("1ms", "10m", "5s").prefault("5s"),
  bake: duration("0s", "24h").prefault("60s"),
  onBadBake: oneOf(["fail", "warn"]).default("fail"),
  onDifference: oneOf(["refuse", "warn"]).default("refuse"),
  capacity: oneOf(["refuse", "warn"]).default("refuse"),
  archive: duration("0s", "24h").prefault("15s"),
  opaque: oneOf(["refuse", "accept"]).default("refuse"),
  liveRollback: oneOf(["off", "wanted", "required"]).default("off"),
  rehearsal: oneOf(["required", "wanted", "off"]).default("off"),
}).prefault({});
