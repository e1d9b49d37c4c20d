import { join } from "node:path";

/** An image to build, in the form the set-up takes. */
export interface ExampleImage {
  /** Name and tag, as the catalogue of releases names it. */
  readonly tag: string;
  /** Build context with its Dockerfile, absolute. */
  readonly folder: string;
  /** Build arguments besides BASE. */
  readonly buildArgs: Readonly<Record<string, string>>;
}

const folder = join(import.meta.dirname, "services");

/** Releases of each service's code, oldest first; README.md says what each of them is for. */
const code = {
  "meal-planner": ["1.2.0", "1.2.1-rc1", "1.2.1", "1.2.2", "1.2.3", "1.3.0"],
  mealie: ["1.0.3", "1.0.4"],
} as const;

/**
 * Every image of the example. All come from one Dockerfile and share its layers, so that after the first each costs a
 * second; the release's own part is chosen by the build argument RELEASE.
 */
export const images: readonly ExampleImage[] = Object.entries(code).flatMap(([service, releases]) =>
  releases.map((release) => ({
    tag: `${service}:v${release}`,
    folder,
    buildArgs: { SERVICE: service, RELEASE: release },
  })),
);
