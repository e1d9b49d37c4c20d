import type { Scalar } from "./wire.ts";

/** Where and as whom to connect; from the provider's configuration. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string | undefined;
  /** Role behind `username` where the server maps names. */
  readonly databaseUsername: string;
  readonly superuser: boolean;
  readonly sslmode: "disable" | "require" | "verify-ca" | "verify-full";
  /** Path of the certificate authority's file. */
  readonly sslrootcert: string | undefined;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeout: number;
  /** Open connections at most; 0: no limit. */
  readonly maxConnections: number;
}

/** Configuration keys that are refused instead of being ignored: they would change how to connect. */
const unsupported = [
  "awsRdsIamAuth",
  "awsRdsIamProfile",
  "awsRdsIamProviderRoleArn",
  "awsRdsIamRegion",
  "azureIdentityAuth",
  "azureTenantId",
  "clientcert",
  "gcpIamImpersonateServiceAccount",
];
const sslmodes = ["disable", "require", "verify-ca", "verify-full"] as const;

/**
 * Reads the provider's configuration; numbers and flags may come as text. Defaults and environment variables are the
 * official plugin's: PGHOST, PGPORT (5432), PGDATABASE (postgres), PGUSER (postgres), PGPASSWORD, PGSUPERUSER (true),
 * PGSSLMODE (require), PGCONNECT_TIMEOUT (180 s). Throws an Error that names the key. Written by hand because a
 * schema library would cost the provider a third of its start-up time.
 */
export function connectionSettings(
  given: Readonly<Record<string, Scalar>>,
  env: Readonly<Record<string, string | undefined>>,
): ConnectionSettings {
  const value = (key: string, variable?: string): string | undefined => {
    const found = given[key];
    if (found !== undefined && found !== null && found !== "") return String(found);
    const fallback = variable === undefined ? undefined : env[variable];
    return fallback === "" ? undefined : fallback;
  };
  for (const key of unsupported) {
    if (![undefined, "false", "[]"].includes(value(key)))
      throw new Error(`postgresql:${key} is not supported by this stand-in for the official plugin`);
  }
  const scheme = value("scheme") ?? "postgres";
  if (scheme !== "postgres")
    throw new Error(
      `postgresql:scheme must be postgres for this stand-in for the official plugin, got ${scheme}`,
    );
  const username = value("username", "PGUSER") ?? "postgres";
  return {
    host: value("host", "PGHOST") ?? "localhost",
    port: wholeNumber("port", value("port", "PGPORT") ?? "5432"),
    database: value("database", "PGDATABASE") ?? "postgres",
    username,
    password: value("password", "PGPASSWORD"),
    databaseUsername: value("databaseUsername") ?? username,
    superuser: yesOrNo("superuser", value("superuser", "PGSUPERUSER") ?? "true"),
    sslmode: sslmode(value("sslmode", "PGSSLMODE") ?? value("sslMode") ?? "require"),
    sslrootcert: value("sslrootcert"),
    connectTimeout:
      wholeNumber("connectTimeout", value("connectTimeout", "PGCONNECT_TIMEOUT") ?? "180") * 1000,
    maxConnections: wholeNumber("maxConnections", value("maxConnections") ?? "20"),
  };
}

function wholeNumber(key: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0)
    throw new Error(`postgresql:${key} must be a whole number from 0, got ${value}`);
  return number;
}

function yesOrNo(key: string, value: string): boolean {
  if (["true", "1", "t", "T", "TRUE", "True"].includes(value)) return true;
  if (["false", "0", "f", "F", "FALSE", "False"].includes(value)) return false;
  throw new Error(`postgresql:${key} must be true or false, got ${value}`);
}

function sslmode(value: string): ConnectionSettings["sslmode"] {
  const known = sslmodes.find((one) => one === value);
  if (known === undefined)
    throw new Error(`postgresql:sslmode must be one of ${sslmodes.join(", ")}, got ${value}`);
  return known;
}
