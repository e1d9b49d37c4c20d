import { ownCluster } from "../../settings/rooms/cluster.ts";

/** Settings that the image's own command line, or Docker's, makes; nobody chose them. */
const ofTheImage = new Set([
  "config_file",
  "hba_file",
  "ident_file",
  "data_directory",
  "listen_addresses",
  "port",
]);

/**
 * Settings of a server that do not lie in its data directory, as rollback:cluster.settings takes them; and a sentence about each
 * that the program makes itself. Pure.
 */
export function serverSettings(found: ReadonlyMap<string, string>): {
  readonly settings: ReadonlyMap<string, string>;
  readonly left: readonly string[];
} {
  const settings = new Map<string, string>();
  const left: string[] = [];
  for (const [name, value] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (ofTheImage.has(name)) continue;
    if (ownCluster.safeParse({ volume: "any", settings: { [name]: value } }).success)
      settings.set(name, value);
    else left.push(`the server ran with ${name} = ${value}, which the stack's server makes itself`);
  }
  return { settings, left };
}
