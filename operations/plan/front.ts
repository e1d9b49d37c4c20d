import { prefix, stackLabel } from "../../settings/names.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { frontConfig, type Front, type FrontRecord } from "../traffic/front-config.ts";
import { reservedAddress } from "./addresses.ts";
import type { World } from "./world.ts";

/** The existing nginx in front of the stack and what it is to be given; undefined: the door has the public listeners. */
export function frontOf(settings: Settings, subnet: string): Front | undefined {
  const { existing } = settings.gateway;
  if (existing === undefined) return undefined;
  return frontConfig({
    existing,
    label: stackLabel(settings),
    prefix: prefix(settings),
    door: { name: stackNames(settings).door, address: reservedAddress(subnet, "door") },
    plan: {
      services: [...settings.services.values()].map(({ name, port, public: open }) => ({
        name,
        public: open,
        containerPort: port,
        servers: [],
      })),
    },
  });
}

/** The front that this configuration gives up; undefined: none, or it stays. */
export function formerFront(
  { gateway }: Pick<World, "gateway">,
  wanted: Pick<Front, "file"> | undefined,
): FrontRecord | undefined {
  const { formerFront: former } = gateway;
  return former === undefined || former.file === wanted?.file ? undefined : former;
}
