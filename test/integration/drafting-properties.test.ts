import { draftingProperties } from "../support/drafting-properties.ts";

// The same pairs each time, so that a change is judged by what it changes; test/long looks for new ones.
describe("drafting, over generated schemas and migrations", () => {
  draftingProperties(25, 20261125);
});
