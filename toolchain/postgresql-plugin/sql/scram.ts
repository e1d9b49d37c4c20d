import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

const iterations = 4096;

/**
 * What to send to the server for a password. A plain one becomes a SCRAM-SHA-256 verifier here (RFC 5803, the form
 * PostgreSQL stores), so that the password itself cannot end up in the server's log with a failed statement.
 * Verifiers and MD5 hashes are passed on. A password beyond ASCII too: PostgreSQL normalises it by rules of its own.
 */
export function storedPassword(password: string, salt: Buffer = randomBytes(16)): string {
  if (/^(SCRAM-SHA-256\$|md5[0-9a-f]{32}$)/u.test(password) || !/^[\x20-\x7e]+$/u.test(password))
    return password;
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

/** The MD5 form of a password as PostgreSQL stores it. */
export function md5Password(password: string, role: string): string {
  return `md5${createHash("md5").update(`${password}${role}`).digest("hex")}`;
}

function hmac(key: Buffer, message: string): Buffer {
  return createHmac("sha256", key).update(message).digest();
}
