import type { Alert } from "./alert.ts";

/** Something that is wrong and was not mended. */
export interface Trouble {
  /** What it is about; the same at each look, where the message's figures may be others. */
  readonly about: string;
  readonly message: string;
}

/** What has been told, and what has not arrived yet. */
export interface Told {
  /** The trouble that was told last; undefined: all was well. */
  readonly trouble: Trouble | undefined;
  /** Alerts that did not arrive, oldest first; told again at each look. */
  readonly waiting: readonly Alert[];
}

/** More alerts than this are not kept for a place that does not answer: the newest say what matters. */
const most = 20;

/**
 * Adds what one look has to tell. The same trouble is told once, not at every look; when it is over, that is told, too.
 * Pure.
 */
export function withNews(
  told: Told,
  news: { readonly trouble: Trouble | undefined; readonly wentBack: string | undefined },
  about: Pick<Alert, "stack" | "at">,
): Told {
  const { trouble, wentBack } = news;
  const alerts: Alert[] = [];
  if (wentBack !== undefined) alerts.push({ ...about, kind: "went back", message: wentBack });
  if (trouble !== undefined && trouble.about !== told.trouble?.about)
    alerts.push({ ...about, kind: "alert", message: trouble.message });
  if (trouble === undefined && told.trouble !== undefined && wentBack === undefined)
    alerts.push({ ...about, kind: "well", message: `No longer: ${told.trouble.message}` });
  return { trouble, waiting: [...told.waiting, ...alerts].slice(-most) };
}

/** Milliseconds until the next look: twice as many after each that failed in a row, at most five minutes. Pure. */
export function pauseAfter(failures: number, intervalMs: number): number {
  const longest = Math.max(intervalMs, 5 * 60_000);
  return Math.min(longest, intervalMs * 2 ** Math.min(failures, 20));
}
