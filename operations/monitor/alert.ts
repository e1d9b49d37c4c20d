import { execa, ExecaError } from "execa";

/** What somebody is told. */
export interface Alert {
  /** `project/stack`. */
  readonly stack: string;
  /** `alert`: something is wrong and was not mended; `went back`: it was; `well`: an alert is over. */
  readonly kind: "alert" | "went back" | "well";
  readonly message: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Where alerts go besides standard error. */
export interface AlertPlaces {
  /** URL that gets each by POST, as JSON; may be secret and is never shown. */
  readonly webhook: string | undefined;
  /** Executable that gets each on its standard input, as JSON. */
  readonly command: string | undefined;
}

/** Delivers an alert everywhere. Returns why it did not arrive, by place; empty: it has arrived. */
export async function deliver(alert: Alert, { webhook, command }: AlertPlaces): Promise<string[]> {
  const body = JSON.stringify(alert);
  const why = await Promise.all([
    webhook === undefined ? undefined : post(webhook, body),
    command === undefined ? undefined : hand(command, body),
  ]);
  return why.filter((each) => each !== undefined);
}

async function post(url: string, body: string): Promise<string | undefined> {
  try {
    const { ok, status } = await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(10_000),
    });
    return ok ? undefined : `the webhook answered ${status}`;
  } catch (error) {
    // Neither the message nor its cause is told: they could hold the URL.
    return `the webhook did not answer (${error instanceof Error ? error.name : "unknown"})`;
  }
}

async function hand(command: string, body: string): Promise<string | undefined> {
  try {
    await execa(command, [], { input: body, timeout: 60_000, stdout: "ignore" });
    return undefined;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    return `the alert command failed: ${error.shortMessage}`;
  }
}
