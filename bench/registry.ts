import { migrations } from "./migrations/bench.ts";
import type { Bench } from "./report.ts";
import { recovery } from "./recovery/bench.ts";
import { rollback } from "./rollback/bench.ts";
import { switching } from "./switching/bench.ts";

/** All benches, in the order in which they run. A new one is a line here. */
export const benches: readonly Bench[] = [rollback, migrations, switching, recovery];
