import type { Service } from "../../settings/types.ts";

/** What stands for the release in the name of a unit that is no template. */
const slot = "${release}";

/** The unit of one release: `meal-planner-api@1.2.0.service` of a template, `meal-planner-1.2.0.service` of a name with a slot. */
export function unitName(unit: string, release: string): string {
  const [start, end] = aroundRelease(unit);
  return `${start}${release}${end}`;
}

/** The release of a unit; undefined for another unit. */
export function releaseOfUnit(unit: string, name: string): string | undefined {
  const [start, end] = aroundRelease(unit);
  const release = name.slice(start.length, -end.length);
  return release !== "" && unitName(unit, release) === name ? release : undefined;
}

/** What comes before and after the release in the names of a service's units. */
export function aroundRelease(unit: string): readonly [string, string] {
  const [start = "", end = ""] = unit.includes(slot) ? unit.split(slot) : unit.split("@.");
  return unit.includes(slot) ? [start, end] : [`${start}@`, `.${end}`];
}

/** Files of one release on the service's host. */
export interface ReleaseFiles {
  /** What the release is: unpacked there by whoever builds it. */
  readonly folder: string;
  /** For EnvironmentFile=; with secrets, for root only. */
  readonly environment: string;
  readonly flags: string;
  /** There as long as the running unit has not read the environment, or the flags, that were last written. */
  readonly unread: { readonly environment: string; readonly flags: string };
  /** Symbolic link to the folder of the release with most of the traffic. */
  readonly current: string;
}

export function filesOf({ directory }: NonNullable<Service["native"]>, release: string): ReleaseFiles {
  return {
    folder: `${directory}/releases/${release}`,
    environment: `${directory}/env/${release}.env`,
    flags: `${directory}/flags/${release}.json`,
    unread: {
      environment: `${directory}/env/${release}.unread`,
      flags: `${directory}/flags/${release}.unread`,
    },
    current: `${directory}/current`,
  };
}

/**
 * The text of an environment file as systemd reads it (systemd.exec(5), EnvironmentFile=): values in double quotes, in which a
 * backslash escapes `"`, `\`, `$` and a back-tick. The first line tells this program the port, whoever wrote the file.
 */
export function environmentText(port: number, variables: ReadonlyMap<string, string>): string {
  const lines = [...variables]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${value.replace(/["\\$`]/g, (special) => `\\${special}`)}"`);
  return [`# rollback port ${port}`, ...lines, ""].join("\n");
}

/** What a person types where `pulumi destroy` has left units running: one command a host. Pure. */
export function stopCommands(
  units: readonly { readonly name: string; readonly unit: NonNullable<Service["native"]> }[],
): string[] {
  const hosts = new Map<string, string[]>();
  for (const { name, unit } of units) {
    const { host } = unit;
    const address =
      host === undefined ? "" : `${host.user === undefined ? "" : `${host.user}@`}${host.address}`;
    const there = address === "" ? "" : `ssh -p ${host?.port ?? 22} ${address} `;
    hosts.set(there, [...(hosts.get(there) ?? []), name]);
  }
  return [...hosts].map(([there, names]) => `${there}systemctl disable --now ${names.join(" ")}`);
}
