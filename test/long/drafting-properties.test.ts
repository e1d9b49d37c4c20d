import { draftingProperties } from "../support/drafting-properties.ts";

describe("drafting, over many generated schemas and migrations", () => {
  draftingProperties(600);
});
