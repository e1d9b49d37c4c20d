import { own } from "./attrs.ts";
import { defaultPrivileges } from "./create.ts";
import { named } from "./trimmings.ts";
import type { SchemaObject } from "./snapshot.ts";

/**
 * The statements that drop an object; none when it falls with something else that is dropped. `goes` tells what is dropped,
 * `ownerOf` the column that a sequence belongs to.
 */
export function dropStatements(
  object: SchemaObject,
  goes: (key: string) => boolean,
  ownerOf: (sequence: string) => string | undefined,
): string[] {
  const { kind, name, base, attrs, parent } = object;
  const { text, flag } = own(attrs);
  const withParent = parent !== null && goes(parent);
  switch (kind) {
    case "default":
      return withParent || goes(`table ${text("table") ?? ""}`)
        ? []
        : [
            `ALTER ${flag("view") ? "VIEW" : "TABLE ONLY"} ${text("table") ?? ""} ALTER COLUMN ${base} DROP DEFAULT`,
          ];
    case "sequence owner":
      return withParent ? [] : [`ALTER SEQUENCE ${name} OWNED BY NONE`];
    case "partition":
      return withParent ? [] : [`ALTER TABLE ${text("of") ?? ""} DETACH PARTITION ${name}`];
    case "sequence": {
      const column = ownerOf(name);
      const falls = column !== undefined && (goes(`column ${column}`) || goes(`table ${tableOf(column)}`));
      return falls ? [] : [`DROP SEQUENCE ${name}`];
    }
    case "column":
      return withParent || !flag("local") ? [] : [`ALTER TABLE ${text("table") ?? ""} DROP COLUMN ${base}`];
    case "attribute":
      return withParent ? [] : [`ALTER TYPE ${text("table") ?? ""} DROP ATTRIBUTE ${base}`];
    case "constraint": {
      const of = text("of");
      if (!flag("local") || (of !== undefined && goes(`constraint ${of}`))) return [];
      const target = text("references");
      const crosses = target !== undefined && target !== parent && goes(target);
      if (withParent && !crosses) return [];
      return [`ALTER ${flag("domain") ? "DOMAIN" : "TABLE"} ${text("on") ?? ""} DROP CONSTRAINT ${base}`];
    }
    case "index": {
      const of = text("of");
      return withParent || (of !== undefined && goes(`index ${of}`)) ? [] : [`DROP INDEX ${name}`];
    }
    case "trigger":
    case "rule":
    case "policy":
      return withParent ? [] : [`DROP ${named(object)}`];
    case "default privileges":
      return defaultPrivileges(object, "REVOKE");
    case "other":
      return [`DROP ${text("drop") ?? ""}`];
    default:
      return [`DROP ${named(object)}`];
  }
}

/** `"a"."t"."c"` → `"a"."t"`: without the part behind the last dot outside of quotes. */
export function tableOf(column: string): string {
  return column.replace(/\.(?:"(?:[^"]|"")*"|[^".]+)$/, "");
}
