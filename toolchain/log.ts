/**
 * What the set-up tells the person waiting for it. Everything goes to stderr: stdout belongs to documents
 * (`npm run bench -- --json`, `npm run setup -- --env`).
 */

/** Milliseconds between two signs of life of a long step. */
const TICK = 15_000;

/** One line: what it is about, and what was found or decided. */
export function say(subject: string, text: string): void {
  process.stderr.write(`${subject.padEnd(12)} ${text}\n`);
}

/** What a long step may say while it runs; the latest text is shown with the next sign of life. */
export type Note = (text: string) => void;

/**
 * Runs a long step, announcing it, showing a sign of life every 15 seconds and how long it took.
 * An error passes through; the line that announced the step then has no end, and the error says why.
 */
export async function longStep<T>(
  subject: string,
  title: string,
  work: (note: Note) => Promise<T>,
): Promise<T> {
  const start = Date.now();
  const seconds = (): string => `${String(Math.round((Date.now() - start) / 1000))} s`;
  let latest = "";
  say(subject, `${title} …`);
  const ticker = setInterval(
    () => say(subject, `… ${title}: ${seconds()}${latest === "" ? "" : `, ${latest}`}`),
    TICK,
  );
  try {
    const result = await work((text) => {
      latest = text;
    });
    say(subject, `${title}: ${seconds()}`);
    return result;
  } finally {
    clearInterval(ticker);
  }
}
