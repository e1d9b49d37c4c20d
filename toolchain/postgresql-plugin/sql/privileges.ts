import { OperationFailed } from "../errors.ts";
import { sameSet } from "../values.ts";

/** Privileges by object type, as the official plugin allows them; MAINTAIN on tables from PostgreSQL 17. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  database: ["CREATE", "CONNECT", "TEMPORARY"],
  table: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
  sequence: ["USAGE", "SELECT", "UPDATE"],
  schema: ["CREATE", "USAGE"],
  function: ["EXECUTE"],
  procedure: ["EXECUTE"],
  routine: ["EXECUTE"],
  type: ["USAGE"],
  foreign_data_wrapper: ["USAGE"],
  foreign_server: ["USAGE"],
  column: ["SELECT", "INSERT", "UPDATE", "REFERENCES"],
};

/** What `ALL` means for a type of object on a server of this major version. */
export function allPrivileges(objectType: string, major: number): readonly string[] {
  const privileges = allowed[objectType];
  if (privileges === undefined) throw new OperationFailed(`unknown object type ${objectType}`);
  return objectType === "table" && major >= 17 ? [...privileges, "MAINTAIN"] : privileges;
}

/** Throws for a privilege that the type of object does not have: privileges go into statements unquoted. */
export function assertAllowed(privileges: readonly string[], objectType: string, major: number): void {
  const known = ["ALL", ...allPrivileges(objectType, major)];
  const strange = privileges.find((privilege) => !known.includes(privilege));
  if (strange !== undefined) {
    throw new OperationFailed(`${strange} is not an allowed privilege for object type ${objectType}`);
  }
}

/** Whether the granted privileges are the wanted ones; `ALL` stands for every one the type has. */
export function areAsWanted(
  granted: readonly string[],
  wanted: readonly string[],
  objectType: string,
  major: number,
): boolean {
  return (
    sameSet(granted, wanted) || (wanted.includes("ALL") && sameSet(granted, allPrivileges(objectType, major)))
  );
}
