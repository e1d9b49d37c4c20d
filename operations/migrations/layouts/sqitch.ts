import { createHash } from "node:crypto";
import { literal } from "../../database/query.ts";
import type { Migration } from "../types.ts";
import { badFile, checksum, noMigrations } from "./files.ts";
import type { FolderView } from "./files.ts";
import type { LayoutDefinition } from "./layout.ts";
import { psqlText } from "./psql.ts";
import { sqitchConfig } from "./sqitch-config.ts";
import type { SqitchConfig } from "./sqitch-config.ts";
import { parseSqitchPlan } from "./sqitch-plan.ts";
import type { SqitchChange, SqitchPlan } from "./sqitch-plan.ts";
import { deployed, registry, reverted } from "./sqitch-registry.ts";

/**
 * Sqitch: the folder with `sqitch.plan` (or with the `sqitch.conf` that says where it is), scripts in `deploy`, `revert` and
 * `verify`; the registry in schema `sqitch`. A version is a change's name; further instances of a reworked change are
 * `name#2`, `name#3`, in the order of the plan.
 */
export const sqitch: LayoutDefinition = {
  name: "sqitch",
  normalise: (version) => (/^[^\s:#[\]\\]+(#\d+)?$/.test(version) ? version : undefined),
  // Names have no order; the plan has.
  compare: undefined,
  outOfOrder: false,

  recognise: (folder) => folder.files.find((file) => file === "sqitch.plan" || file === "sqitch.conf"),

  scope: async (folder) => (await planOf(folder)).plan.project,

  async readFiles(folder) {
    const { config, plan } = await planOf(folder);
    return Promise.all(plan.changes.map((change) => read(folder, config, plan, change)));
  },

  reversalPlace: ({ file }) => ({ file: file.replace(/(^|\/)deploy\//, "$1revert/"), marker: undefined }),

  defaultTable: { schema: "sqitch", name: "changes" },
  fixedTable: true,
  // Several projects may share a registry.
  tracking: (_, project) => ({
    schema: "sqitch",
    table: "changes",
    ownSchema: true,
    columns: ["change_id", "change", "project", "script_hash"],
    create: registry,
    // Changes are deployed in the order of the plan, so the instances of a reworked one can be counted.
    // Whose changes these are has to be known; a colon makes them no versions.
    read: `SELECT ${project === undefined ? "CASE WHEN (SELECT count(DISTINCT project) FROM sqitch.changes) > 1 THEN project || ':' ELSE '' END || " : ""}change || CASE WHEN instance = 1 THEN '' ELSE '#' || instance END AS version, true AS success, script_hash AS recorded
      FROM (SELECT *, row_number() OVER (PARTITION BY project, change ORDER BY committed_at) AS instance FROM sqitch.changes${project === undefined ? "" : ` WHERE project = ${literal(project)}`}) AS c
      ORDER BY committed_at`,
    record: (migrations) => migrations.flatMap(({ facts }) => deployed(facts ?? {})).join("; "),
    remove: (migrations) => migrations.map(({ version }) => reverted(version, project)).join("; "),
  }),
};

async function planOf(folder: FolderView): Promise<{ config: SqitchConfig; plan: SqitchPlan }> {
  const config = await sqitchConfig(folder);
  if (!folder.files.includes(config.plan)) throw noMigrations(folder.path, config.plan);
  return { config, plan: parseSqitchPlan(await folder.text(config.plan), folder.path) };
}

async function read(
  folder: FolderView,
  config: SqitchConfig,
  plan: SqitchPlan,
  change: SqitchChange,
): Promise<Migration> {
  // Scripts of a change that was reworked later are kept under one of the tags behind it, the nearest to the rework first.
  const names =
    change.reworkedAt.length === 0 ? [change.name] : change.reworkedAt.map((tag) => change.name + tag);
  const script = (directory: string, name: string) => `${directory}${name}.${config.extension}`;
  const name = names.find((each) => folder.files.includes(script(config.deploy, each)));
  if (name === undefined) {
    throw badFile(
      folder.path,
      config.plan,
      `names ${change.name}, but there is no ${script(config.deploy, names[0] ?? change.name)}`,
      "Put it back.",
    );
  }
  const optional = async (
    file: string,
    variables: ReadonlyMap<string, string>,
  ): Promise<string | undefined> =>
    folder.files.includes(file) ? psqlText(folder, file, variables) : undefined;
  const { variables } = config;
  const file = script(config.deploy, name);
  const up = await psqlText(folder, file, variables.deploy);
  const hash = createHash("sha1")
    .update(await folder.bytes(file))
    .digest("hex");
  return {
    version: change.instance === 1 ? change.name : `${change.name}#${change.instance}`,
    name: change.name,
    file,
    up,
    down: await optional(script(config.revert, name), variables.revert),
    verify: await optional(script(config.verify, name), variables.verify),
    transactional: true,
    checksum: checksum(up),
    recorded: hash,
    facts: { project: plan.project, uri: plan.uri ?? "", change: JSON.stringify(change), hash },
  };
}
