import type { ObservedContainer } from "../docker/observe.ts";
import type { Service } from "../../settings/types.ts";
import { toAddress, rangeOf } from "../plan/addresses.ts";
import { runScript } from "./host.ts";
import { releaseOfUnit, unitName } from "./unit.ts";

/** Every instance that systemd has loaded, with its port as this program wrote it. `$1` the units as a glob, `$2` the folder. */
const script = `systemctl show --timestamp=unix -p Id,ActiveState,ExecMainStartTimestamp,LoadState -- "$1"
printf '\\036'
[ ! -d "$2/env" ] || grep -s -H -m 1 '^# rollback port ' "$2"/env/*.env || :`;

/** Where the router finds a service of this machine: at the machine's own address on the stack's network. */
export function nativeAddress(native: NonNullable<Service["native"]>, subnet: string): string {
  return native.host?.address ?? toAddress(rangeOf(subnet).first + 1);
}

/**
 * Units of the stack's native services that run, in the shape of its containers, so that what is planned from one is planned
 * from the other. Throws the Refusal `NATIVE_UNREACHABLE`.
 */
export async function observeUnits(
  { services }: { readonly services: ReadonlyMap<string, Pick<Service, "name" | "native">> },
  subnet: string,
): Promise<ObservedContainer[]> {
  const found = await Promise.all(
    [...services.values()].map(async ({ name, native }) => {
      if (native === undefined) return [];
      const printed = await runScript(native.host, script, [unitName(native.unit, "*"), native.directory]);
      return unitsFrom(printed, name, native, nativeAddress(native, subnet));
    }),
  );
  return found.flat();
}

/** What the script printed. A unit without an environment of this program's is somebody else's. Pure. */
export function unitsFrom(
  printed: string,
  service: string,
  native: NonNullable<Service["native"]>,
  address: string,
): ObservedContainer[] {
  const [units = "", files = ""] = printed.split("\x1e");
  const ports = new Map(
    [...files.matchAll(/\/env\/([^/\n]+)\.env:# rollback port (\d+)$/gm)].map(
      ([, release = "", port = ""]) => [release, port],
    ),
  );
  return units.split(/\n\s*\n/).flatMap((block): ObservedContainer[] => {
    const properties = new Map(
      block.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    const unit = properties.get("Id") ?? "";
    const release = releaseOfUnit(native.unit, unit);
    const state = properties.get("ActiveState") ?? "";
    const port = release === undefined ? undefined : ports.get(release);
    if (release === undefined || port === undefined) return [];
    if (!["active", "activating", "reloading", "deactivating"].includes(state)) return [];
    return [
      {
        id: `unit ${unit}`,
        name: unit,
        image: "",
        labels: new Map([
          ["part", "service"],
          ["service", service],
          ["release", release],
          ["replica", "1"],
          ["unit", "yes"],
          ["port", port],
        ]),
        running: state !== "deactivating",
        restarting: false,
        address,
        startedAt: Number(/^@(\d+)/.exec(properties.get("ExecMainStartTimestamp") ?? "")?.[1] ?? 0) * 1000,
        ports: [],
      },
    ];
  });
}
