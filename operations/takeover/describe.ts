import { ownerRole } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Settings } from "../../settings/types.ts";
import type { TakeoverState } from "./state.ts";

/** What the first `up` will do to what runs now, for `pulumi preview`. Pure. */
export function describeTakeover({ cluster, databases, takeover }: Settings, state: TakeoverState): string[] {
  const { running, server, prepare } = state;
  const volume = cluster.kind === "own" ? cluster.volume : "";
  const lines: string[] = [];
  if (server !== undefined && server.versions.size > 0)
    lines.push(`dumps ${[...server.versions.keys()].join(", ")} from ${takeover?.server ?? ""} first`);
  if (running.length > 0) {
    lines.push(
      `stops ${running.map(({ name }) => name).join(", ")} and keeps them: nobody is served from then on until the new gateway, server and containers are up`,
    );
  }
  if (!prepare) return lines;
  lines.push(
    `takes the data volume ${volume} over as it is: a superuser \`postgres\` and the stack's access rules are added, no row is changed`,
  );
  for (const name of databases.keys()) lines.push(`what is in ${name} goes to the role ${ownerRole(name)}`);
  return lines;
}

/** A stack that takes over changes no schema with it: what runs is what is taken over. */
export function refuseOtherSchema(wanted: ReadonlyMap<string, string>, { server }: TakeoverState): void {
  if (server === undefined) return;
  const other = [...wanted].filter(([name, version]) => (server.versions.get(name) ?? "0") !== version);
  if (other.length === 0) return;
  const found = other.map(
    ([name, version]) =>
      `${name} is at ${server.versions.get(name) ?? "0"}, and the live release wants ${version}`,
  );
  throw new Refusal({
    code: "TAKEOVER_SCHEMA",
    found: `${found.join("; ")}.`,
    untouched: "Nothing was stopped.",
    next: "Let the release that is taken over name the schema that is there; a release with another one comes with the next `pulumi up`.",
  });
}
