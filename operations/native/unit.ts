import type { Service } from "../../settings/types.ts";

/** Instance of a service's template unit for one release, e.g. `meal-planner-api@1.2.0.service`. */
export function unitName(template: string, release: string): string {
  return template.replace("@.", () => `@${release}.`);
}

/** The release of an instance; undefined for another unit. */
export function releaseOfUnit(template: string, unit: string): string | undefined {
  const [start = "", end = ""] = template.split("@.");
  const release = unit.slice(start.length + 1, -(end.length + 1));
  return release !== "" && unitName(template, release) === unit ? release : undefined;
}

/** Files of one release on the service's host. */
export interface ReleaseFiles {
  /** What the release is: unpacked there by whoever builds it. */
  readonly folder: string;
  /** For EnvironmentFile=; with secrets, for root only. */
  readonly environment: string;
  readonly flags: string;
  /** Symbolic link to the folder of the release with most of the traffic. */
  readonly current: string;
}

export function filesOf({ directory }: NonNullable<Service["native"]>, release: string): ReleaseFiles {
  return {
    folder: `${directory}/releases/${release}`,
    environment: `${directory}/env/${release}.env`,
    flags: `${directory}/flags/${release}.json`,
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
