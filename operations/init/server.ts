import { defaultServerImage } from "../../settings/rooms/cluster.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Server } from "../database/connection.ts";
import { dataFolderOf, foreignAccess, observeForeign, type ForeignServer } from "../takeover/foreign.ts";
import { imageOffers, makeImage, unsuited } from "../takeover/suits.ts";
import type { RunningService } from "./containers.ts";
import type { BoundFolder, InitRequest } from "./request.ts";

/** The PostgreSQL server of a compose project. `access` holds a password. */
export interface FoundServer {
  readonly container: string;
  readonly access: Server;
  readonly facts: ForeignServer;
  readonly volume: string;
  /** Where the data lies in a folder of this machine. */
  readonly bind: Pick<BoundFolder, "volume" | "folder"> | undefined;
  readonly port: { readonly port: number; readonly address: string } | undefined;
  readonly problems: readonly string[];
  readonly checks: readonly string[];
}

/** Looks at it as its superuser. Throws the Refusal `TAKEOVER_UNREACHABLE`. */
export async function readServer(
  { service, containers: [container] }: RunningService,
  request: InitRequest,
): Promise<FoundServer> {
  const access = await foreignAccess(container);
  const facts = await observeForeign(container.name, access);
  const unfit = unsuited(container, facts, await imageOffers(request.image ?? defaultServerImage));
  const folder = dataFolderOf(container);
  const mount = container.mounts.find(({ destination }) => destination === folder);
  const above = container.mounts.find(({ destination }) => folder.startsWith(`${destination}/`));
  const bound = mount !== undefined && mount.volume === undefined;
  const bind = bound ? { volume: stackNames(request).volume("pgdata"), folder: mount.source } : undefined;
  const published = container.published.find(({ inner }) => inner === 5432);
  return {
    container: container.name,
    access,
    facts,
    volume: bind?.volume ?? mount?.volume ?? "",
    bind,
    port: published,
    problems: [
      ...unfit.map((problem) => `${service.name}: ${problem}. ${makeImage}`),
      ...(mount !== undefined
        ? []
        : above === undefined
          ? [
              `${service.name} keeps its data in ${folder} of the container itself, not on a volume: what is not on a volume cannot be taken over`,
            ]
          : [
              `${service.name} keeps its data in ${folder.slice(above.destination.length + 1)}, a folder inside ${above.volume ?? above.source}, and the stack's server wants it at the top: copy that folder into a volume of its own while the server is stopped`,
            ]),
    ],
    checks: checksOf(container.name, facts, mount?.volume),
  };
}

function checksOf(container: string, facts: ForeignServer, volume: string | undefined): string[] {
  const md5 = facts.logins.filter((login) => login.md5).map(({ name }) => name);
  const superusers = [
    facts.user,
    ...facts.logins.filter(({ superuser }) => superuser).map(({ name }) => name),
  ].filter((name) => name !== "postgres");
  return [
    ...(superusers.length === 0
      ? []
      : [
          `${superusers.join(", ")} of ${container} can still log in as superuser afterwards, and no fence holds a superuser: once nothing uses it any more, ALTER ROLE ${superusers[0] ?? ""} NOLOGIN`,
        ]),
    ...(md5.length === 0
      ? []
      : [
          `${md5.join(", ")} have passwords kept as md5, which the stack's access rules do not take: set them anew`,
        ]),
    ...(volume !== undefined && /^[0-9a-f]{64}$/.test(volume)
      ? [
          `the data volume has no name of its own; do not remove ${container} with its volumes (docker rm -v, docker compose down -v)`,
        ]
      : []),
  ];
}
