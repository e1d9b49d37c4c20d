import { openHold, type Lease } from "../operations/traffic/lease.ts";
import { instant, type RunContext } from "./context.ts";
import { engineIsAlive } from "./engine.ts";

/** Makes the door hold requests for this run, renewed as long as its engine lives. */
export async function holdRequests({ settings, names, notes, world }: RunContext): Promise<Lease> {
  notes.heldSince = instant();
  notes.lease = await openHold(names.door, {
    hold: settings.gateway.hold,
    held: settings.gateway.held,
    alive: engineIsAlive,
    // A gate that was closed had its reason: nothing that a run has done so far makes it right to open it.
    then: world.gateway.rest,
  });
  return notes.lease;
}
