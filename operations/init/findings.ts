import type { Application } from "./application.ts";
import type { FoundCache } from "./cache.ts";
import type { RunningService } from "./containers.ts";
import type { FoundDatabase } from "./databases.ts";
import type { Translated } from "./environment.ts";
import type { Fronted } from "./proxy.ts";
import type { FoundServer } from "./server.ts";

/** An application service, under the name that it gets. */
export interface FoundApplication {
  readonly name: string;
  readonly running: RunningService;
  readonly application: Application;
  readonly environment: Translated;
}

/** All that was found of a compose project. */
export interface Findings {
  readonly server: FoundServer;
  readonly applications: readonly FoundApplication[];
  readonly secrets: ReadonlyMap<string, string>;
  readonly databases: readonly Extract<FoundDatabase, { standing: unknown }>[];
  readonly caches: readonly FoundCache[];
  readonly proxies: readonly {
    readonly name: string;
    readonly container: string;
    readonly fronted: Fronted;
  }[];
  /** Ports of this machine that containers publish. */
  readonly taken: ReadonlySet<number>;
  readonly problems: readonly string[];
  readonly checks: readonly string[];
}

/** Where the gateway listens for a service. */
export interface Listener {
  readonly port: number;
  readonly address: string;
}
