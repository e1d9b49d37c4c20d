import path from "node:path";
import { freePorts } from "../../test/support/free-ports.ts";
import { answers } from "../../test/support/http-client.ts";
import { createProject, type Project } from "../project.ts";
import type { Report } from "../report.ts";
import { tryUnderLoad } from "./measure.ts";
import type { World } from "./world.ts";

/** Name of the case. */
export const naive = "naive Pulumi stack: code only";

/** A deployed stack of bench/naive beside the world's PostgreSQL. */
export interface NaiveStack {
  readonly project: Project;
  readonly url: string;
}

/** Deploys the naive stack; its container carries the world's label and goes with it. */
export async function deployNaive(report: Report, world: World): Promise<NaiveStack> {
  const project = await createProject(
    `${world.network}-naive`,
    path.join(import.meta.dirname, "../naive/index.ts"),
  );
  report.defer("the naive stack", () => project.remove());
  const [port = 0] = await freePorts(1);
  const settings = {
    container: `${world.network}-naive`,
    network: world.network,
    label: world.label,
    port: String(port),
    release: "1.2.1",
  };
  for (const [key, value] of Object.entries(settings)) await project.pulumi(["config", "set", key, value]);
  await project.pulumi(["config", "set", "--secret", "databaseUrl"], world.databaseUrl);
  await project.up();
  return { project, url: `http://127.0.0.1:${port}` };
}

/** 1.2.3 is taken back to 1.2.1 by the tag in the configuration. */
export async function measureNaive(
  report: Report,
  world: World,
  { project, url }: NaiveStack,
): Promise<void> {
  await world.migrate();
  await project.pulumi(["config", "set", "release", "1.2.3"]);
  await project.up();
  await answers(`${url}/health`);
  await tryUnderLoad(report, {
    name: naive,
    url,
    release: "1.2.1",
    query: world.query,
    async act() {
      await project.pulumi(["config", "set", "release", "1.2.1"]);
      await project.up();
    },
  });
}
