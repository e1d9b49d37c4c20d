import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { useToolchain } from "../../toolchain/setup.ts";

const checkout = path.join(import.meta.dirname, "../..");

const change = z.object({
  resource: z.string(),
  op: z.string(),
  diff: z.record(z.string(), z.string()),
  replaceReasons: z.array(z.string()).nullable(),
});
/** One line of a preview: what the engine would do to a resource, and why. */
export type PlannedChange = z.infer<typeof change>;

const resource = z.object({
  type: z.string(),
  id: z.string(),
  inputs: z.record(z.string(), z.unknown()),
  outputs: z.record(z.string(), z.unknown()),
});
/** A resource as the state has it; secrets that hold something read `[secret]`. */
export type RecordedResource = z.infer<typeof resource>;

export const recording = z.object({
  created: z.record(z.string(), resource),
  steps: z.record(
    z.string(),
    z.object({
      what: z.string(),
      preview: z.array(change),
      errors: z.array(z.string()).default([]),
      after_refresh: z.record(z.string(), resource).default({}),
    }),
  ),
});

const stepEvent = z.object({
  resourcePreEvent: z.object({ metadata: z.unknown() }).optional(),
  resOutputsEvent: z.object({ metadata: z.unknown() }).optional(),
});
const metadata = z.object({
  op: z.string(),
  urn: z.string(),
  keys: z.array(z.string()).nullish(),
  detailedDiff: z.record(z.string(), z.object({ diffKind: z.string() })).nullish(),
});

export interface Run {
  readonly failed: boolean;
  /** Everything the engine printed. */
  readonly printed: string;
  /** What it did or would do, without what stays the same. */
  readonly changes: readonly PlannedChange[];
}

/** A stack of its own on a file backend, with this checkout's stand-in as the postgresql plugin. */
export interface PluginStack {
  run(command: "up" | "preview" | "refresh" | "destroy", program: unknown): Promise<Run>;
  /** The state as text, to be put back later. */
  save(): Promise<string>;
  putBack(state: string): Promise<void>;
  /** Resources of the plugin by their name in the program. */
  resources(): Promise<Readonly<Record<string, RecordedResource>>>;
  /** The state file as it is on disk: for secrets in clear. */
  stateOnDisk(): Promise<string>;
  remove(): Promise<void>;
}

/** Makes the stack; its program is `test/support/recorded-program.mjs`, fed with what `run` is given. */
export async function pluginStack(): Promise<PluginStack> {
  await useToolchain();
  const folder = await mkdtemp(path.join(tmpdir(), "rbt-plugin-"));
  await mkdir(path.join(folder, "state"));
  await writeFile(
    path.join(folder, "Pulumi.yaml"),
    "name: recorded\nruntime:\n  name: nodejs\n  options: { typescript: false }\nmain: index.mjs\n",
  );
  await writeFile(path.join(folder, "package.json"), '{ "name": "recorded", "type": "module" }\n');
  await writeFile(
    path.join(folder, "index.mjs"),
    await readFile(path.join(import.meta.dirname, "recorded-program.mjs")),
  );
  await symlink(path.join(checkout, "node_modules"), path.join(folder, "node_modules"));
  // Plugins on the PATH win over installed ones, so the official one is not used even where it is there.
  const plugin = path.join(folder, "bin/pulumi-resource-postgresql");
  await mkdir(path.dirname(plugin));
  const main = path.join(checkout, "toolchain/postgresql-plugin/main.ts");
  await writeFile(plugin, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  await chmod(plugin, 0o755);

  const events = path.join(folder, "events.json");
  const pulumi = (args: readonly string[], options: { program?: unknown; input?: string } = {}) =>
    execa("pulumi", [...args, "--non-interactive"], {
      cwd: folder,
      reject: false,
      all: true,
      timeout: 120_000,
      ...(options.input === undefined ? {} : { input: options.input }),
      env: {
        PATH: `${path.dirname(plugin)}:${process.env["PATH"] ?? ""}`,
        PULUMI_BACKEND_URL: `file://${folder}/state`,
        PULUMI_CONFIG_PASSPHRASE: "only for this test",
        PULUMI_DEBUG_COMMANDS: "true", // has --event-log
        RECORDED: JSON.stringify(options.program ?? {}),
      },
    });
  const must = async (args: readonly string[], input?: string): Promise<string> => {
    const { exitCode, stdout, all } = await pulumi(args, input === undefined ? {} : { input });
    if (exitCode !== 0) throw new Error(`pulumi ${args.join(" ")}: ${all}`);
    return stdout;
  };
  await must(["stack", "init", "test"]);

  return {
    run: async (command, program) => {
      await rm(events, { force: true });
      const yes = command === "preview" ? [] : ["--yes", "--skip-preview"];
      const { exitCode, all } = await pulumi([command, ...yes, "--event-log", events], { program });
      return {
        failed: exitCode !== 0,
        printed: all,
        changes: plannedChanges(await readFile(events, "utf8"), command === "refresh"),
      };
    },
    save: () => must(["stack", "export"]),
    putBack: async (state) => {
      await must(["stack", "import"], state);
    },
    resources: async () => resourcesIn(await must(["stack", "export", "--show-secrets"])),
    stateOnDisk: () => readFile(path.join(folder, "state/.pulumi/stacks/recorded/test.json"), "utf8"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Each resource once; of a replacement's several steps only the one that tells why. A refresh tells what it found only afterwards. */
function plannedChanges(log: string, refresh: boolean): readonly PlannedChange[] {
  const changes = new Map<string, PlannedChange>();
  for (const line of log.trim().split("\n")) {
    const { resourcePreEvent, resOutputsEvent } = stepEvent.parse(JSON.parse(line));
    const event = refresh ? resOutputsEvent : resourcePreEvent;
    if (event === undefined) continue;
    const { op, urn, keys, detailedDiff } = metadata.parse(event.metadata);
    const name = urn.split("::").at(-1) ?? "";
    const silent = ["same", "refresh", "create-replacement", "delete-replaced", "discard-replaced"];
    if (silent.includes(op) || urn.includes("pulumi:pulumi:Stack")) continue;
    changes.set(name, {
      resource: name,
      op,
      diff: Object.fromEntries(
        Object.entries(detailedDiff ?? {}).map(([key, { diffKind }]) => [key, diffKind]),
      ),
      replaceReasons: keys ?? null,
    });
  }
  return [...changes.values()];
}

const exported = z.object({
  deployment: z.object({
    resources: z.array(resource.partial().extend({ urn: z.string(), type: z.string() })).default([]),
  }),
});

function resourcesIn(state: string): Readonly<Record<string, RecordedResource>> {
  const { resources } = exported.parse(JSON.parse(state)).deployment;
  return Object.fromEntries(
    resources
      .filter(({ type }) => type.startsWith("postgresql:index/"))
      .map(({ urn, type, id = "", inputs = {}, outputs = {} }) => [
        urn.split("::").at(-1) ?? "",
        { type, id, inputs: masked(inputs), outputs: masked(outputs) },
      ]),
  );
}

const secret = z.object({ plaintext: z.string() });

function masked(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => {
      const parsed = secret.safeParse(value);
      if (!parsed.success) return [name, value];
      return [name, parsed.data.plaintext === "null" ? null : "[secret]"];
    }),
  );
}
