import type { Problem } from "../problems.ts";
import type { Rooms } from "../raw.ts";
import { shortestKey } from "../rooms/secrets.ts";
import { databaseSecret } from "../secrets.ts";

const make = `\`openssl rand -hex 32 | pulumi config set --secret --path rollback:secrets.${databaseSecret}\``;

/** The secret that everything else is derived from is there and cannot be guessed. */
export function checkSecrets({ secrets }: Rooms): Problem[] {
  if (secrets === undefined) return [];
  const path = ["secrets", databaseSecret];
  const key = secrets[databaseSecret];
  if (key === undefined) {
    return [
      { path, text: `missing; the passwords of all database roles are derived from it. Make one: ${make}` },
    ];
  }
  if (key.length >= shortestKey) return [];
  return [
    {
      path,
      text: `shorter than ${shortestKey} characters; the passwords of all database roles are derived from it. Make one: ${make}`,
    },
  ];
}
