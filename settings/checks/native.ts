import type { KeyPath, Problem } from "../problems.ts";
import type { Rooms } from "../raw.ts";
import { parseTemplate } from "../template.ts";

/** What a release of a service in containers has, and what one of a native service has instead; and what neither can be. */
export function checkNative(rooms: Rooms): Problem[] {
  return [...kinds(rooms), ...ports(rooms), ...services(rooms)];
}

function kinds({ releases, services }: Rooms): Problem[] {
  return [...releases.valid].flatMap(([release, { services: entries }]) =>
    Object.entries(entries).flatMap(([name, { image, port, digest }]): Problem[] => {
      const at: KeyPath = ["releases", release, "services", name];
      const service = services.valid.get(name);
      if (service === undefined) return [];
      if (service.native === undefined) {
        return [
          ...(image === undefined
            ? [
                {
                  path: [...at, "image"],
                  text: "missing; expected an image with its tag, such as meal-planner:v1.2.0",
                },
              ]
            : []),
          ...(port === undefined
            ? []
            : [
                {
                  path: [...at, "port"],
                  text: `found ${port}, but ${name} runs in containers, which listen on its own \`port\``,
                },
              ]),
        ];
      }
      return [
        ...(port === undefined
          ? [
              {
                path: [...at, "port"],
                text: `missing; ${name} is a native service, and each release of it listens on a port of its own`,
              },
            ]
          : []),
        ...(image === undefined
          ? []
          : [
              {
                path: [...at, "image"],
                text: `${name} is a native service and has no image; its releases lie in ${service.native.directory}/releases`,
              },
            ]),
        ...(digest === undefined
          ? []
          : [{ path: [...at, "digest"], text: `${name} is a native service and has no image to pin` }]),
        ...(/^[A-Za-z0-9:_.-]+$/.test(release)
          ? []
          : [
              {
                path: [...at],
                text: `the name ${JSON.stringify(release)} does not fit an instance of a systemd unit: letters, digits and : _ . -`,
              },
            ]),
      ];
    }),
  );
}

/** Two releases live side by side on one machine, and so do two services. */
function ports({ releases, services }: Rooms): Problem[] {
  const taken = new Map<string, string>();
  return [...releases.valid].flatMap(([release, { services: entries }]) =>
    Object.entries(entries).flatMap(([name, { port }]): Problem[] => {
      const native = services.valid.get(name)?.native;
      if (native === undefined || port === undefined) return [];
      const key = `${native.host?.address ?? ""}:${port}`;
      const other = taken.get(key);
      taken.set(key, `${name} ${release}`);
      return other === undefined
        ? []
        : [
            {
              path: ["releases", release, "services", name, "port"],
              text: `found ${port}, which is that of ${other}; they may run at the same time`,
            },
          ];
    }),
  );
}

function services({ services, cluster }: Rooms): Problem[] {
  return [...services.valid].flatMap(([name, service]): Problem[] => {
    const { native } = service;
    if (native === undefined) return [];
    const at: KeyPath = ["services", name];
    const notTaken = (["memory", "user", "volumes"] as const).filter((key) => service[key] !== undefined);
    const pieces = Object.values(service.env ?? {}).flatMap((value) =>
      typeof value === "string" ? parseTemplate(value) : [],
    );
    const local = cluster !== undefined && !("external" in cluster) && /^(127\.|::1$)/.test(cluster.address);
    const database = pieces.some(({ kind }) => kind === "database");
    return [
      ...(service.replicas > 1
        ? [
            {
              path: [...at, "replicas"],
              text: `found ${service.replicas}; a native service has one unit a release`,
            },
          ]
        : []),
      ...notTaken.map((key) => ({
        path: [...at, key],
        text: "is for containers; of a native service the unit says it",
      })),
      ...(native.host !== undefined && pieces.some(({ kind }) => kind === "service" || kind === "cache")
        ? [
            {
              path: [...at, "env"],
              text: `mentions services or caches of the stack, which are reached on this machine only, and ${name} runs on ${native.host.address}`,
            },
          ]
        : []),
      ...(native.host !== undefined &&
      database &&
      native.host.reach === undefined &&
      cluster !== undefined &&
      !("external" in cluster)
        ? [
            {
              path: [...at, "native", "host", "reach"],
              text: `missing; ${name} needs the database, so say how ${native.host.address} reaches this machine`,
            },
          ]
        : []),
      ...(native.host !== undefined && database && local
        ? [
            {
              path: ["cluster", "address"],
              text: `the database listens on this machine only, and ${name} runs on ${native.host.address}: name an address that it reaches`,
            },
          ]
        : []),
    ];
  });
}
