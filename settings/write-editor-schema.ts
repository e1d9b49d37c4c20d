/** Writes docs/configuration.schema.json (then: prettier --write); a test says when it is out of date. */
import { writeFileSync } from "node:fs";
import { editorSchema } from "./editor-schema.ts";

const target = new URL("../docs/configuration.schema.json", import.meta.url);
writeFileSync(target, `${JSON.stringify(editorSchema(), null, 2)}\n`);
