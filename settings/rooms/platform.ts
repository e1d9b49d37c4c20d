import { oneOf } from "../shapes.ts";

/** Where services run. */
export const platform = oneOf(["docker"]).default("docker");
