import { docker } from "../docker/run.ts";
import type { ConnectionOptions, Say, Server } from "./connection.ts";
import { waitUntilReady } from "./connection.ts";
import { observeServer } from "./observe.ts";
import type { ServerObservation } from "./observe.ts";
import { applyServerSettings, confirmServerSettings } from "./settings-apply.ts";
import { trySettings } from "./settings-trial.ts";
import { describeSettings, planServerSettings, settingState, settingsToTry } from "./settings.ts";
import type { SettingsPlan } from "./settings.ts";

/** A server that replays its log after a restart needs a while; milliseconds. */
const restartDeadline = 5 * 60_000;

/**
 * What would be done, tried out by PostgreSQL but not done: for the preflight, so that a wrong value is refused before anything
 * stops. Nothing is tried when nothing changed.
 */
export async function planSettings(
  server: Server,
  container: string,
  desired: ReadonlyMap<string, string>,
  options: ConnectionOptions = {},
): Promise<{ readonly plan: SettingsPlan; readonly lines: readonly string[] }> {
  const question = { roles: [], rolePrefixes: [], settings: [...desired.keys()] };
  const observed = await observeServer(server, question, options);
  const texts = settingsToTry(observed, desired);
  const start = needsStart(observed, texts);
  const plan = planServerSettings(observed, desired, await trySettings({ container }, texts, { start }));
  return { plan, lines: describeSettings(plan, observed) };
}

/**
 * Brings the server to the configured settings, by reload, and by restarting its container where PostgreSQL asks for it: call it
 * behind preflight and fence. Plans from a fresh look; repeating it finds nothing to do.
 * @returns whether the server was restarted.
 */
export async function applySettings(
  server: Server,
  container: string,
  desired: ReadonlyMap<string, string>,
  say: Say,
  options: ConnectionOptions = {},
): Promise<boolean> {
  const { plan, lines } = await planSettings(server, container, desired, options);
  for (const line of lines) say(line);
  const { restart } = await applyServerSettings(server, plan, options);
  if (restart.length === 0) return false;
  say(`restarting PostgreSQL for ${restart.join(", ")}`);
  // The client's timeout ends only the client: longer than the grace it gives the server to stop.
  await docker(["restart", "--time", "60", container], { timeoutMs: 120_000 });
  await waitUntilReady(server, restartDeadline, say);
  await confirmServerSettings(server, plan, options);
  return true;
}

/** A restart must be tried by a start: libraries that are missing and settings that clash show only there. */
function needsStart(observed: ServerObservation, texts: ReadonlyMap<string, string>): boolean {
  return [...texts.keys()].some((name) => settingState(observed, name)?.context === "postmaster");
}
