import type { GatewayPlan, ServicePlan } from "./plan.ts";

/**
 * What browsers are told for a while after users met other code. The end stands in the configuration as a pattern of the
 * times before it, so that it comes by itself: no reload, and nobody has to be alive for it.
 */
export function browserMaps({ browsers, services }: GatewayPlan, until: number): string {
  if (browsers === undefined) return "";
  const { clear, cacheControl } = browsers;
  const values = clear.map((what) => `\\"${what}\\"`).join(", ");
  const once = services.filter(({ public: open }) => open !== undefined && clear.length > 0);
  return `\
  map $msec $fresh { default ""; "~^(?:${secondsBefore(Math.floor(until / 1000))})\\." 1; }
${cacheControl === undefined ? "" : `  map $fresh $cache_control { default $upstream_http_cache_control; 1 "${cacheControl}"; }\n`}\
${once.map(({ name }) => clearedOnce(name, values, until, browsers.for)).join("")}`;
}

/** Storage and cache are a browser's per origin; what it was told of it keeps by a cookie of the service's own. */
function clearedOnce(service: string, values: string, until: number, lasts: number): string {
  const mark = `rollback-fresh-${service}=${until}`;
  return `\
  map "$fresh;$http_cookie" ${variable("clear", service)} { default ""; "~^1;(?!.*${mark.replaceAll(".", "\\.")}(?:;|$))" "${values}"; }
  map ${variable("clear", service)} ${variable("told", service)} { default "${mark}; Path=/; Max-Age=${Math.ceil(lasts / 1000)}; HttpOnly; SameSite=Lax"; "" ""; }
`;
}

/** The headers within a public listener's location. */
export function browserHeaders({ browsers }: GatewayPlan, service: ServicePlan): string {
  if (browsers === undefined) return "";
  const { clear, cacheControl } = browsers;
  return [
    ...(cacheControl === undefined
      ? []
      : ["proxy_hide_header Cache-Control;", "add_header Cache-Control $cache_control always;"]),
    ...(clear.length === 0
      ? []
      : [
          `add_header Clear-Site-Data ${variable("clear", service.name)} always;`,
          `add_header Set-Cookie ${variable("told", service.name)} always;`,
        ]),
  ]
    .map((line) => `\n      ${line}`)
    .join("");
}

function variable(kind: "clear" | "told", service: string): string {
  return `$${kind}_${service.replaceAll("_", "_0").replaceAll("-", "_1").replaceAll(".", "_2")}`;
}

/** A pattern of the whole seconds before this one, both of as many digits; nginx compares texts only. */
export function secondsBefore(end: number): string {
  const digits = String(Math.max(0, end));
  const smaller = Array.from({ length: digits.length }, (_, at) => at).flatMap((at) => {
    const digit = digits.charAt(at);
    if (digit === "0") return [];
    const left = digits.length - at - 1;
    return [`${digits.slice(0, at)}[0-${Number(digit) - 1}]${left === 0 ? "" : `[0-9]{${left}}`}`];
  });
  return smaller.length === 0 ? "(?!)" : smaller.join("|");
}

/** When browsers stop being told, as a router's configuration says, epoch milliseconds; 0: not at all. */
export function freshUntil(text: string): number {
  return Number(/^# browsers until (\d+)$/m.exec(text)?.[1] ?? 0);
}
