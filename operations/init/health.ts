/** Paths by which services commonly tell that they are well, the likelier first. */
export const likelyPaths = [
  "/health",
  "/healthz",
  "/health/live",
  "/api/health",
  "/api/healthz",
  "/actuator/health",
  "/livez",
  "/up",
  "/ping",
  "/status",
  "/",
] as const;

/** The path that a container's own health check asks for, with curl or wget; undefined: it asks for none. Pure. */
export function pathOf(healthcheck: readonly string[]): string | undefined {
  const [, path] = /https?:\/\/[^/\s"']+(\/[^\s"'\\|;&#)]*)?/.exec(healthcheck.join(" ")) ?? [];
  if (path !== undefined) return path;
  return /https?:\/\//.test(healthcheck.join(" ")) ? "/" : undefined;
}

/** The first of the likely paths that a running container answers with 2xx; undefined: none. */
export async function probeHealth(address: string, port: number): Promise<string | undefined> {
  for (const path of likelyPaths) {
    try {
      const answer = await fetch(`http://${address}:${port}${path}`, {
        redirect: "manual",
        signal: AbortSignal.timeout(2000),
      });
      await answer.body?.cancel();
      if (answer.ok) return path;
    } catch (error) {
      // Refused, timed out, not HTTP: another path may still be answered, but for a port where nobody listens.
      if (error instanceof TypeError && String(error.cause).includes("ECONNREFUSED")) return undefined;
    }
  }
  return undefined;
}
