import { draftingProperties } from "../support/drafting-properties.ts";

describe("drafting, over generated schemas and migrations", () => {
  draftingProperties(25);
});
