import { endpoint } from "./plan.ts";
import type { GatewayPlan, ServicePlan } from "./plan.ts";

/** Whether clients of a service are kept apart by release: asked for, and more than one release is live. */
export function isSplit(plan: GatewayPlan, service: ServicePlan): boolean {
  return plan.sticky !== undefined && new Set(service.servers.map(({ release }) => release)).size > 1;
}

/**
 * What a client is told apart by, as nginx text. The key's hash decides the release, so that the same client gets the
 * same release of every service, and changed weights move only as many clients as they must: not the name of a release,
 * which would keep the clients of a bad canary there whatever its weight. A request without a key goes by chance.
 */
export function stickyKey(plan: GatewayPlan): string {
  const { sticky } = plan;
  if (sticky === undefined || !plan.services.some((service) => isSplit(plan, service))) return "";
  if (sticky.by === "header") {
    const header = `$http_${sticky.name.toLowerCase().replaceAll("-", "_")}`;
    return `  map ${header} $sticky_key { default ${header}; "" $request_id; }\n`;
  }
  // $cookie_NAME knows no hyphen in a name; the header itself does. The first cookie of that name counts.
  return `\
  map $http_cookie $sticky_key { default $request_id; "~(?:^|; *)${sticky.name}=(?<sticky_given>[^; ]+)" $sticky_given; }
  map $http_cookie $sticky_cookie { default "${sticky.name}=$request_id; Path=/; HttpOnly; SameSite=Lax"; "~(?:^|; *)${sticky.name}=[^; ]" ""; }
`;
}

/** The variable that says to which upstream a request of the service goes. */
export function stickyTarget(service: ServicePlan): string {
  return `$to_${service.name.replaceAll("_", "_0").replaceAll("-", "_1").replaceAll(".", "_2")}`;
}

/**
 * One upstream per release, the other releases' servers behind it for a connection that is refused, and the shares of
 * all keys. Newest release first: its share begins at the same end whatever the weights, so a canary that grows keeps
 * the clients it has.
 */
export function stickyUpstreams(service: ServicePlan): string {
  const releases = [...new Set(service.servers.map(({ release }) => release))].toSorted((one, other) =>
    other.localeCompare(one, "en", { numeric: true }),
  );
  const upstreams = releases.map((release, n) => {
    const own = service.servers.filter((server) => server.release === release);
    const others = service.servers.filter((server) => server.release !== release);
    const line = (more: string) => (server: (typeof own)[number]) =>
      `    server ${endpoint(server)} weight=${server.weight} max_fails=0${more}; # ${server.release}\n`;
    const name = `to_${service.name}.${n}`;
    return `  upstream ${name} {\n    zone ${name} 256k;\n${own.map(line("")).join("")}${others.map(line(" backup")).join("")}  }\n`;
  });
  const total = service.servers.reduce((sum, { weight }) => sum + weight, 0);
  const shares = releases.map((release, n) => {
    const weight = service.servers
      .filter((server) => server.release === release)
      .reduce((sum, server) => sum + server.weight, 0);
    const share = n === releases.length - 1 ? "*" : `${((100 * weight) / total).toFixed(2)}%`;
    return `    ${share} to_${service.name}.${n};\n`;
  });
  return `${upstreams.join("")}  split_clients $sticky_key ${stickyTarget(service)} {\n${shares.join("")}  }\n`;
}
