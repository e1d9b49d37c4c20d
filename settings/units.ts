/** Quantities of the configuration: durations, sizes, percentages, ports, instants. Each says its unit or its range when refused. */
import { z } from "zod";
import { text, whole } from "./shapes.ts";

const factors = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of `30s`, `100ms`, `2m`, `1h`; undefined for anything else, a number without a unit included. */
export function parseDuration(given: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(given) ?? [];
  return digits === undefined || !isUnit(unit) ? undefined : Number(digits) * factors[unit];
}

/** The shortest text that `parseDuration` reads as this whole number of milliseconds. */
export function formatDuration(milliseconds: number): string {
  const units = ["h", "m", "s"] as const;
  const unit = milliseconds === 0 ? "s" : (units.find((each) => milliseconds % factors[each] === 0) ?? "ms");
  return `${milliseconds / factors[unit]}${unit}`;
}

function isUnit(unit: string | undefined): unit is keyof typeof factors {
  return unit !== undefined && unit in factors;
}

/** A duration within bounds (themselves durations), in milliseconds. */
export function duration(min: string, max: string, example = "30s") {
  const [least, most] = [parseDuration(min) ?? 0, parseDuration(max) ?? 0];
  const allowed = `a duration with its unit (ms, s, m or h), such as "${example}", from ${min} to ${max}`;
  return z
    .string({ error: allowed })
    .regex(/^\d{1,9}(ms|s|m|h)$/, { error: allowed })
    .transform((given, context) => {
      const milliseconds = parseDuration(given);
      if (milliseconds !== undefined && milliseconds >= least && milliseconds <= most) return milliseconds;
      context.addIssue({ code: "custom", message: allowed });
      return z.NEVER;
    });
}

/** A size in megabytes: `256MB`, `2GB`. */
export function megabytes(least: number) {
  const allowed = `a size such as "256MB" or "2GB", at least ${least}MB`;
  return z
    .string({ error: allowed })
    .regex(/^\d{1,7}(MB|GB)$/, { error: allowed })
    .transform((given, context) => {
      const size = Number.parseInt(given, 10) * (given.endsWith("GB") ? 1024 : 1);
      if (size >= least) return size;
      context.addIssue({ code: "custom", message: allowed });
      return z.NEVER;
    });
}

const percentAllowed = "a percentage from 0 to 100, such as 5 or 5%";

/** A percentage: the number 5, or `5%`; both mean five of a hundred. */
export const percent = z
  .union([z.number(), z.string().regex(/^\d{1,3}(\.\d+)?%$/, { error: percentAllowed })], {
    error: percentAllowed,
  })
  .transform((given, context) => {
    const value = typeof given === "number" ? given : Number.parseFloat(given);
    if (value >= 0 && value <= 100) return value;
    context.addIssue({ code: "custom", message: percentAllowed });
    return z.NEVER;
  });

/** A TCP port. */
export const port = whole("a port, 1 to 65535", 1, 65_535);

const instantAllowed =
  'a time with its distance to UTC, such as "2026-11-22 10:00:00+01:00" or "2026-11-22T09:00:00Z", in quotes (a time without a zone would mean another one on each server)';

/**
 * An instant, in quotes, as PostgreSQL reads it without knowing any zone: UTC, fractions of a second as they were given. What Pulumi makes
 * of one without quotes (`2026-11-22 09:00:00 +0000 UTC`) means the same.
 */
export const instant = text(
  instantAllowed,
  /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?\s?(Z|[+-]\d{2}(:?\d{2})?)( UTC| [+-]\d{4})?$/,
).transform((given, context) => {
  const utc = instantInUtc(given);
  if (utc !== undefined) return utc;
  context.addIssue({ code: "custom", message: `${instantAllowed}, on a day that exists` });
  return z.NEVER;
});

/** `2026-11-22 10:00:00.5+01:00` → `2026-11-22 09:00:00.5+00`; undefined for a day or an hour that does not exist. */
export function instantInUtc(given: string): string | undefined {
  const [, date, time, fraction = "", zone] =
    /^(\S{10})[ T](\S{8})(\.\d+)?\s?(Z|[+-][\d:]+)( \S+)?$/.exec(given) ?? [];
  if (date === undefined || time === undefined || zone === undefined) return undefined;
  // Date cannot hold microseconds, so the fraction is carried past it: zones are whole minutes.
  const local = new Date(`${date}T${time}Z`);
  if (Number.isNaN(local.getTime()) || !local.toISOString().startsWith(`${date}T${time}`)) return undefined;
  const [, sign, hours = "0", minutes = "0"] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  const offset = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  if (Number(hours) > 15 || Number(minutes) > 59) return undefined;
  const utc = new Date(local.getTime() - offset * 60_000).toISOString();
  return `${utc.slice(0, 10)} ${utc.slice(11, 19)}${fraction}+00`;
}
