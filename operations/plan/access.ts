import { stackLabel, operatorRole } from "../../settings/names.ts";
import { rolePassword } from "../../settings/secrets.ts";
import type { Settings } from "../../settings/types.ts";
import type { Server } from "../database/connection.ts";

/** How this program reaches PostgreSQL as administrator. Holds a password: never log it. */
export function access(settings: Settings): Server {
  const { cluster, secrets } = settings;
  if (cluster.kind === "external") {
    const { host, port, user, password, sslmode } = cluster;
    return { host, port, user, password: secrets.get(password.secret), ssl: sslmode };
  }
  return {
    // A server that listens on every address is reached over loopback.
    host: cluster.address === "0.0.0.0" ? "127.0.0.1" : cluster.address,
    port: cluster.port,
    user: "postgres",
    password: rolePassword(secrets, "postgres"),
    ssl: "disable",
  };
}

/** The same server as the operator, which is no superuser and runs migrations. */
export function operatorAccess(settings: Settings): Server {
  return { ...access(settings), user: operatorRole, password: rolePassword(settings.secrets, operatorRole) };
}

/** How our sessions call themselves in pg_stat_activity. */
export function applicationName(settings: Settings): string {
  return `rollback ${stackLabel(settings)}`.slice(0, 63);
}
