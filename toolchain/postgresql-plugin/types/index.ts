import type { ResourceType } from "../model.ts";
import { database } from "./database.ts";
import { defaultPrivileges } from "./default-privileges.ts";
import { extension } from "./extension.ts";
import { grantRole } from "./grant-role.ts";
import { grant } from "./grant.ts";
import { role } from "./role.ts";
import { schema } from "./schema.ts";

/** The resource types that the program uses, by token; the stand-in has no others. */
export const resourceTypes: ReadonlyMap<string, ResourceType> = new Map(
  [role, database, schema, extension, grant, grantRole, defaultPrivileges].map((type) => [type.token, type]),
);
