/** A release as the catalogue of a stack file has it. */
export interface CatalogueRelease {
  readonly services: Readonly<
    Record<
      "meal-planner" | "mealie",
      { readonly image: string; readonly digest?: string; readonly flags?: Readonly<Record<string, string>> }
    >
  >;
  readonly schema: { readonly meal_planner: string; readonly mealie: string };
  readonly compatible: Readonly<Partial<Record<"meal_planner" | "mealie", string>>>;
}

/** The example's releases; README.md says what each of them is there to show. */
export const releaseNames = ["1.2.0", "1.2.1-rc1", "1.2.1", "1.2.2", "1.2.3", "1.3.0"] as const;
export type ReleaseName = (typeof releaseNames)[number];

/** Mealie v1.0.3 does not ask for what its migration 005 adds, so every release that has it runs on both. */
const mealie103 = { image: "mealie:v1.0.3" };
const legacy = { FEATURE_MEALIE_ENABLED: "false" };
const mealie = { FEATURE_MEALIE_ENABLED: "true" };

/** What each release consists of, oldest first. `compatible` is what its code really runs on, which a test tries out. */
export const catalogue: Readonly<Record<ReleaseName, CatalogueRelease>> = {
  "1.2.0": {
    services: { "meal-planner": { image: "meal-planner:v1.2.0", flags: legacy }, mealie: mealie103 },
    schema: { meal_planner: "20", mealie: "4" },
    compatible: { meal_planner: "20..21", mealie: "4..5" },
  },
  "1.2.1-rc1": {
    services: { "meal-planner": { image: "meal-planner:v1.2.1-rc1", flags: mealie }, mealie: mealie103 },
    schema: { meal_planner: "22", mealie: "4" },
    compatible: { meal_planner: "22..23", mealie: "4..5" },
  },
  "1.2.1": {
    services: { "meal-planner": { image: "meal-planner:v1.2.1", flags: mealie }, mealie: mealie103 },
    schema: { meal_planner: "23", mealie: "4" },
    compatible: { mealie: "4..5" },
  },
  "1.2.2": {
    services: { "meal-planner": { image: "meal-planner:v1.2.2", flags: mealie }, mealie: mealie103 },
    schema: { meal_planner: "23", mealie: "4" },
    compatible: { mealie: "4..5" },
  },
  "1.2.3": {
    services: { "meal-planner": { image: "meal-planner:v1.2.3", flags: mealie }, mealie: mealie103 },
    schema: { meal_planner: "23", mealie: "4" },
    compatible: { mealie: "4..5" },
  },
  "1.3.0": {
    services: {
      "meal-planner": { image: "meal-planner:v1.3.0", flags: mealie },
      mealie: { image: "mealie:v1.0.4" },
    },
    schema: { meal_planner: "23", mealie: "5" },
    compatible: {},
  },
};
