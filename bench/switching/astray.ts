import { z } from "zod";

const logged = z.object({
  time: z.number(),
  seconds: z.number(),
  held: z.coerce.number(),
  release: z.string(),
});

/**
 * Lines of the router's log whose request had waited at the door while it held, was let through since a moment
 * (milliseconds since the epoch), and was answered by another release than this one. By when it was let through, not by its
 * line: that is written when the answer is over, and a stream that an earlier hold let through ends in a later one. Pure.
 */
export function astray(log: string, release: string, since: number): string[] {
  return log.split("\n").filter((line) => {
    if (!line.startsWith("{")) return false;
    const { time, seconds, held, release: answered } = logged.parse(JSON.parse(line));
    return held > 0 && answered !== release && (time - seconds) * 1000 >= since;
  });
}
