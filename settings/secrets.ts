/**
 * Plaintext secrets, kept behind functions so that printing settings, or a stack trace of them, shows names only; and what is
 * derived from them: hashes for the record, passwords of roles, and verifiers that PostgreSQL stores in a password's place.
 */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { Refusal } from "./refusal.ts";
import type { Secrets } from "./types.ts";

/** Name of the secret from which the passwords of all roles and all keyed hashes are derived. */
export const databaseSecret = "db";

/** An accessor over plaintext values; only their names can be listed, printed or serialised. */
export function secretsFrom(values: ReadonlyMap<string, string>): Secrets {
  const kept = new Map(values);
  return {
    names: [...kept.keys()],
    get(name) {
      const value = kept.get(name);
      if (value !== undefined) return value;
      throw new Refusal({
        code: "SECRET_MISSING",
        found: `rollback:secrets has no entry ${name}.`,
        untouched: "Nothing was changed.",
        next: `Set it:  pulumi config set --secret --path 'rollback:secrets.${name}'`,
      });
    },
  };
}

/**
 * A hash (64 hex digits) that may be recorded: it tells whether `text` is the same as last time, and tells nothing to anyone
 * without the secret `db`. Its key is not the one passwords are derived with: a hash of a role's name must not be its password.
 */
export function keyedHash(secrets: Secrets, text: string): string {
  return hmac(hmac(secrets.get(databaseSecret), "rollback/keyed-hash"), text).toString("hex");
}

/** Keyed hash of the value of the secret `name`; it notices a revert to an older secret without keeping either. */
export function secretHash(secrets: Secrets, name: string): string {
  return keyedHash(secrets, `secret\0${name}\0${secrets.get(name)}`);
}

/** Password of a role: HMAC-SHA256(secret `db`, role), 64 hex digits. */
export function rolePassword(secrets: Secrets, role: string): string {
  return hmac(secrets.get(databaseSecret), role).toString("hex");
}

/** PostgreSQL's own default (`scram_iterations`). */
const iterations = 4096;

/**
 * `SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>`, which PostgreSQL takes as it is for `PASSWORD`, so that no plaintext
 * reaches its log (RFC 5803, RFC 7677). The salt follows from password and `saltSource` (the role), so a repeat changes nothing.
 * Throws a RangeError for a password outside printable ASCII: those would need SASLprep, and ours are hexadecimal.
 */
export function scramVerifier(password: string, saltSource: string): string {
  return scramVerifierWithSalt(
    password,
    hmac(password, `rollback/scram-salt\0${saltSource}`).subarray(0, 16),
  );
}

/** As `scramVerifier`, with a salt from elsewhere. */
export function scramVerifierWithSalt(password: string, salt: Uint8Array): string {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new RangeError("A SCRAM password must be printable ASCII.");
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString("base64")}$${storedKey}:${serverKey}`;
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
