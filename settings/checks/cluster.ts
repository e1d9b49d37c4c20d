import { ownerRole } from "../names.ts";
import type { Problem } from "../problems.ts";
import type { Rooms } from "../raw.ts";
import { overlap, secretExists } from "./services.ts";

/** Server, volumes and recovery agree with one another and with what else listens on this machine. */
export function checkDatabaseServer(rooms: Rooms): Problem[] {
  const { cluster } = rooms;
  const server =
    cluster === undefined
      ? []
      : "external" in cluster
        ? secretExists(rooms, ["cluster", "external", "password", "secret"], cluster.external.password.secret)
        : [...portTaken(rooms, cluster), ...dumpsBesideData(cluster)];
  return [
    ...server,
    ...archiveSecrets(rooms),
    ...archiveOfOthers(rooms),
    ...changesOfWhat(rooms),
    ...recoveryVolumes(rooms),
    ...takenOver(rooms),
    ...ownWriters(rooms),
    ...databaseVolumes(rooms),
  ];
}

function archiveSecrets(rooms: Rooms): Problem[] {
  const { encryption, s3 } = rooms.cluster?.backup ?? {};
  return [
    { path: ["encryption"], name: encryption?.secret },
    { path: ["s3", "key"], name: s3?.key.secret },
    { path: ["s3", "keySecret"], name: s3?.keySecret.secret },
  ].flatMap(({ path, name }) =>
    name === undefined ? [] : secretExists(rooms, ["cluster", "backup", ...path, "secret"], name),
  );
}

function portTaken({ services }: Rooms, { port, address }: { port: number; address: string }): Problem[] {
  return [...services.valid]
    .filter(([, { public: open }]) => open?.port === port && overlap(open.address, address))
    .map(([name]) => ({
      path: ["cluster", "port"],
      text: `found ${port}, which is the public port of ${name}; both listen on this machine`,
    }));
}

function dumpsBesideData({
  volume,
  backup,
}: {
  volume: string;
  backup: { repository?: string | undefined };
}): Problem[] {
  if (backup.repository !== volume) return [];
  return [
    {
      path: ["cluster", "backup", "repository"],
      text: `found ${JSON.stringify(volume)}, which is the data's own volume; dumps must survive it: name another volume or a folder`,
    },
  ];
}

function archiveOfOthers({ cluster }: Rooms): Problem[] {
  if (cluster === undefined || !("external" in cluster) || cluster.backup.schedule === undefined) return [];
  return [
    {
      path: ["cluster", "backup", "schedule"],
      text: "a server that is not ours (rollback:cluster.external) is dumped, but neither its WAL nor base backups can be had from here: leave it out, and use what its provider offers",
    },
  ];
}

/** Changes are kept for a recovery, which needs the archive, and by the server's settings for it. */
function changesOfWhat({ cluster }: Rooms): Problem[] {
  if (cluster?.backup.changes === undefined) return [];
  if ("external" in cluster || cluster.backup.schedule === undefined) {
    const why = "external" in cluster ? "a server of the stack's own" : "rollback:cluster.backup.schedule";
    return [
      {
        path: ["cluster", "backup", "changes"],
        text: `changes are kept for a recovery, which needs ${why}: leave it out`,
      },
    ];
  }
  const wanted = new Map([["wal_level", /^logical$/i]]);
  return Object.entries(cluster.settings ?? {}).flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    const clashes = lower === "max_slot_wal_keep_size" || wanted.get(lower)?.test(String(value)) === false;
    return clashes
      ? [
          {
            path: ["cluster", "settings", name],
            text: `found ${JSON.stringify(value)} beside rollback:cluster.backup.changes, which sets it itself: leave it out`,
          },
        ]
      : [];
  });
}

function recoveryVolumes({ cluster, recovery }: Rooms): Problem[] {
  if (cluster === undefined || recovery === undefined) return [];
  if ("external" in cluster) {
    return [
      {
        path: ["recovery"],
        text: "a server that is not ours (rollback:cluster.external) cannot be recovered from here",
      },
    ];
  }
  if (cluster.volume === recovery.from || cluster.volume === recovery.volume) return [];
  return [
    {
      path: ["cluster", "volume"],
      text: `found ${JSON.stringify(cluster.volume)}; with rollback:recovery it is the volume recovered from (${recovery.from}) or the new one (${recovery.volume})`,
    },
  ];
}

/** Fencing a role of our own as if it were foreign would lock out the release that is to serve. */
function ownWriters({ databases }: Rooms): Problem[] {
  const own = new Set([...databases.valid.keys()].map(ownerRole));
  return [...databases.valid].flatMap(([name, { writers }]) =>
    writers.flatMap((writer, index): Problem[] =>
      own.has(writer)
        ? [
            {
              path: ["databases", name, "writers", index],
              text: `${JSON.stringify(writer)} is a role of this stack, not a foreign one`,
            },
          ]
        : [],
    ),
  );
}

/** A volume of the database's is nobody else's: a service could break it, and clearing files would. */
function databaseVolumes({ cluster, recovery, services, caches }: Rooms): Problem[] {
  const own = new Set(
    [
      ...(cluster === undefined || "external" in cluster ? [] : [cluster.volume]),
      cluster?.backup.repository,
      recovery?.volume,
      recovery?.from,
    ].filter((name) => name !== undefined),
  );
  const mounted = [...services.valid].flatMap(([name, { volumes = {} }]) =>
    Object.entries(volumes).map(([path, volume]) => ({ path: ["services", name, "volumes", path], volume })),
  );
  const cleared = [...caches.valid].flatMap(([name, entry]) =>
    entry.kind === "files" ? [{ path: ["caches", name, "volume"], volume: entry.volume }] : [],
  );
  return [...mounted, ...cleared]
    .filter(({ volume }) => own.has(volume))
    .map(({ path, volume }) => ({
      path,
      text: `found ${JSON.stringify(volume)}, which is a volume of the database or of its backups; name another`,
    }));
}

function takenOver({ cluster, takeover, recovery }: Rooms): Problem[] {
  if (takeover === undefined) return [];
  const text =
    cluster !== undefined && "external" in cluster
      ? "a server that is not ours (rollback:cluster.external) keeps its data and is not taken over: leave it out"
      : recovery !== undefined
        ? "a server is taken over as it is: leave rollback:recovery out until that is done"
        : undefined;
  return text === undefined ? [] : [{ path: ["takeover"], text }];
}
