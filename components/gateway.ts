import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import { doorConfig, doorConfigPath } from "../operations/traffic/door.ts";
import type { Front } from "../operations/traffic/front-config.ts";
import { doorPorts, gatewayImage } from "../operations/traffic/plan.ts";
import { reservedAddress } from "../operations/plan/addresses.ts";
import { stackNames } from "../settings/stack-names.ts";
import { labels } from "./labels.ts";

export interface GatewayArgs {
  readonly hooks: Hooks;
  readonly network: docker.Network;
  /** The router writes the flags that services read. */
  readonly flags: docker.Volume;
  readonly after: pulumi.Resource[];
}

/**
 * Two nginx: a door that is never reloaded, so that clients who keep connections alive lose none, and a router behind
 * it that is. The door starts closed; the traffic effect opens it. Where an nginx of the user's has the public listeners,
 * the door publishes nothing and is reached over the stack's network, or that nginx's own.
 */
export class Gateway extends pulumi.ComponentResource {
  readonly parts: docker.Container[];
  readonly urls: Record<string, string>;

  constructor(name: string, args: GatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    const { settings } = args.hooks.context;
    super("rollback:index:Gateway", name, { hold: settings.gateway.hold, held: settings.gateway.held }, opts);
    const sockets = this.volume(args, "sockets");
    const router = this.router(args, sockets, this.volume(args, "routes"));
    const door = this.door(args, sockets, this.volume(args, "gate"));
    this.parts = [door, router];
    this.urls = publicUrls(args.hooks);
    this.registerOutputs({ urls: this.urls });
  }

  private router(args: GatewayArgs, sockets: docker.Volume, routes: docker.Volume): docker.Container {
    return this.nginx(args, "router", [
      { volumeName: sockets.name, containerPath: "/run/gateway" },
      { volumeName: routes.name, containerPath: "/etc/gateway/routes" },
      { volumeName: args.flags.name, containerPath: "/var/lib/flags" },
    ]);
  }

  private door(args: GatewayArgs, sockets: docker.Volume, gate: docker.Volume): docker.Container {
    const { gateway, front } = args.hooks.context;
    const uploads = [{ file: doorConfigPath, content: doorConfig(gateway) }];
    return this.nginx(
      args,
      "door",
      [
        { volumeName: sockets.name, containerPath: "/run/gateway" },
        { volumeName: gate.name, containerPath: "/var/lib/gate" },
      ],
      front === undefined ? { ports: publicPorts(args.hooks), uploads } : { uploads },
      front,
    );
  }

  private nginx(
    { hooks, network, after }: GatewayArgs,
    role: "door" | "router",
    volumes: docker.ContainerArgs["volumes"] & object,
    more: Partial<docker.ContainerArgs> = {},
    front?: Front,
  ): docker.Container {
    const { settings, desired } = hooks.context;
    return new docker.Container(
      role,
      {
        name: stackNames(settings)[role],
        image: gatewayImage,
        command: [role],
        labels: labels(settings, role, front === undefined ? {} : { front: "yes" }),
        networksAdvanced: [
          { name: network.name, ipv4Address: reservedAddress(desired.subnet, role) },
          ...(front?.container === undefined ? [] : [{ name: front.container.network }]),
        ],
        volumes,
        restart: "unless-stopped",
        // The router writes a line per request.
        logDriver: "json-file",
        logOpts: { "max-size": "20m", "max-file": "3" },
        destroyGraceSeconds: 10,
        ...more,
      },
      { parent: this, dependsOn: after, deleteBeforeReplace: true, hooks: hooks.before("container") },
    );
  }

  private volume({ hooks, after }: GatewayArgs, kind: string): docker.Volume {
    const { settings } = hooks.context;
    return new docker.Volume(
      kind,
      { name: stackNames(settings).volume(kind), labels: labels(settings, "volume", { volume: kind }) },
      { parent: this, dependsOn: after, hooks: hooks.before("infrastructure") },
    );
  }
}

/** What the door publishes when no other nginx stands before it. */
function publicPorts({ context: { settings, gateway } }: Hooks): docker.types.input.ContainerPort[] {
  const inner = doorPorts(gateway);
  return [...settings.services.values()].flatMap(({ name, public: listener }) =>
    listener === undefined
      ? []
      : [{ internal: inner.get(name) ?? 0, external: listener.port, ip: listener.address }],
  );
}

function publicUrls(hooks: Hooks): Record<string, string> {
  const open = [...hooks.context.settings.services.values()];
  return Object.fromEntries(
    open.flatMap(({ name, public: listener }) =>
      listener === undefined ? [] : [[name, `http://${listener.address}:${listener.port}`]],
    ),
  );
}
