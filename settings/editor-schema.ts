/** JSON schema of a stack file, so that editors complete keys and mark mistakes while typing. Pure; write-editor-schema.ts writes it. */
import { z } from "zod";
import { caches } from "./rooms/caches.ts";
import { externalCluster, ownCluster } from "./rooms/cluster.ts";
import { databases } from "./rooms/databases.ts";
import { gateway } from "./rooms/gateway.ts";
import { live, standby } from "./rooms/live.ts";
import { platform } from "./rooms/platform.ts";
import { recovery } from "./rooms/recovery.ts";
import { reset } from "./rooms/reset.ts";
import { releases } from "./rooms/releases.ts";
import { safety } from "./rooms/safety.ts";
import { services } from "./rooms/services.ts";
import { takeover } from "./rooms/takeover.ts";
import { shorthand } from "./shapes.ts";

const mapOf = ({ key, entry }: { key: z.ZodString; entry: z.ZodType }) => z.record(key, entry);

/** In the file a secret is its ciphertext; Pulumi decrypts it before this program sees it. */
const ciphertexts = z.record(z.string(), z.strictObject({ secure: z.string() }));

const stackFile = z.looseObject({
  config: z.looseObject({
    "rollback:releases": mapOf(releases),
    "rollback:live": mapOf(live),
    "rollback:standby": standby.optional(),
    "rollback:services": mapOf(services),
    "rollback:databases": mapOf(databases),
    "rollback:cluster": z.union([ownCluster, externalCluster]),
    "rollback:recovery": recovery.optional(),
    "rollback:reset": reset.optional(),
    "rollback:gateway": gateway,
    "rollback:caches": mapOf(caches).optional(),
    "rollback:safety": safety,
    "rollback:secrets": ciphertexts,
    "rollback:platform": platform,
    "rollback:takeover": takeover.optional(),
  }),
});

/** The schema as an object of JSON Schema 2020-12. It knows shapes; what only shows across keys is left to the program. */
export function editorSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(stackFile, {
    io: "input",
    override({ jsonSchema }) {
      if (jsonSchema[shorthand] !== true) return;
      const mapping = Object.fromEntries(Object.entries(jsonSchema).filter(([key]) => key !== shorthand));
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      jsonSchema.anyOf = [{ type: "string" }, mapping];
    },
  });
  return { ...schema, title: "Stack file of a rollback stack" };
}
