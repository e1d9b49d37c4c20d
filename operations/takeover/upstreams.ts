import { execa } from "execa";
import { Refusal } from "../../settings/refusal.ts";
import type { Settings } from "../../settings/types.ts";
import { inspectForeign } from "./inspect.ts";
import type { TakeoverState } from "./state.ts";

/** Hosts that an nginx configuration passes requests on to: nginx resolves them when it starts and when it reloads. Pure. */
export function hostsIn(configuration: string): string[] {
  const text = configuration.replace(/#.*$/gm, "");
  const found = [...text.matchAll(/\b(?:proxy_pass\s+https?:\/\/|server\s+)([A-Za-z0-9_.-]+)/g)];
  return [...new Set(found.map(([, host]) => host ?? ""))];
}

/**
 * An nginx of the user's that stays in front must not name what the takeover stops: nginx takes no configuration with a host
 * that it cannot resolve, also not the stack's, and that would show when nobody is served any more. Throws `TAKEOVER_FRONT`.
 */
export async function refuseStoppedUpstreams(
  { gateway, services }: Pick<Settings, "gateway" | "services">,
  { running }: Pick<TakeoverState, "running">,
): Promise<void> {
  const { existing } = gateway;
  if (existing?.container === undefined || running.length === 0) return;
  const [file = "", ...words] = existing.test.map((word) => (word === "-t" ? "-T" : word));
  const { stdout, failed } = await execa(file, words, { stdin: "ignore", timeout: 30_000, reject: false });
  // What nginx does not take today is said when it is asked to test the stack's file.
  if (failed) return;
  const stopped = await inspectForeign(running.map(({ name }) => name));
  const names = new Set(stopped.flatMap(({ name, aliases }) => [name, ...aliases]));
  const named = hostsIn(stdout).filter((host) => names.has(host));
  if (named.length === 0) return;
  const listeners = [...services.values()].flatMap(({ name, public: open }) =>
    open === undefined ? [] : [`http://127.0.0.1:${open.port} for ${name}`],
  );
  throw new Refusal({
    code: "TAKEOVER_FRONT",
    found: `the nginx of ${existing.container.name} passes requests on to ${named.join(", ")}, which this run stops; without them it would take no configuration any more.`,
    untouched: "Nothing was stopped.",
    next: `In its own files, put ${listeners.join(", ")} in their place, where it will have the stack. It need not be reloaded: \`pulumi up\` does that.`,
  });
}
