import { z } from "zod";

const secretSignature = "4dabf18193072939515e22adb298388d";

const resource = z.object({
  urn: z.string(),
  type: z.string(),
  custom: z.boolean(),
  parent: z.string().optional(),
  dependencies: z.array(z.string()).default([]),
  /** `urn::id` of the provider; the engine's own default ones are made by the engine. */
  provider: z.string().optional(),
  retainOnDelete: z.boolean().default(false),
  additionalSecretOutputs: z.array(z.string()).default([]),
  inputs: z.record(z.string(), z.unknown()).default({}),
  outputs: z.record(z.string(), z.unknown()).default({}),
});

const exported = z.object({ deployment: z.object({ resources: z.array(resource) }) });

/** A resource as a program has to register it so that the engine finds nothing changed. */
export interface RecordedResource {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  readonly parent: string | undefined;
  readonly dependencies: readonly string[];
  /** URN of an explicit provider; undefined: the default one of `version`. */
  readonly provider: string | undefined;
  /** Version of the plugin; undefined for what needs none. */
  readonly version: string | undefined;
  readonly retainOnDelete: boolean;
  readonly additionalSecretOutputs: readonly string[];
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** What `pulumi stack export --show-secrets` printed, as resources in an order in which they can be registered. */
export interface RecordedStack {
  readonly resources: readonly RecordedResource[];
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** Reads an export. `asSecret` marks a value that the state keeps encrypted. Pure but for that. */
export function recordedStack(text: string, asSecret: (value: unknown) => unknown): RecordedStack {
  const { resources } = exported.parse(JSON.parse(text)).deployment;
  const versions = new Map(
    resources
      .filter(({ type }) => type.startsWith("pulumi:providers:"))
      .map(({ urn, inputs }) => [urn, inputs["version"]]),
  );
  const versionOf = (urn: string): string | undefined => {
    const version = versions.get(urn);
    return typeof version === "string" ? version : undefined;
  };
  const stack = resources.find(({ type }) => type === "pulumi:pulumi:Stack");
  return {
    outputs: stack?.outputs ?? {},
    resources: resources.filter(isProgrammed).map((each) => {
      const provider = each.provider?.slice(0, each.provider.lastIndexOf("::"));
      const ownProvider = provider === undefined || isDefaultProvider(provider) ? undefined : provider;
      const itsVersion = each.type.startsWith("pulumi:providers:") ? each.urn : provider;
      return {
        urn: each.urn,
        type: each.type,
        name: each.urn.slice(each.urn.lastIndexOf("::") + 2),
        custom: each.custom,
        parent: each.parent === stack?.urn ? undefined : each.parent,
        dependencies: each.dependencies,
        provider: ownProvider,
        version: itsVersion === undefined ? undefined : versionOf(itsVersion),
        retainOnDelete: each.retainOnDelete,
        additionalSecretOutputs: each.additionalSecretOutputs,
        inputs: given(each.inputs, asSecret),
      };
    }),
  };
}

/** The engine makes the stack itself and the default providers. */
function isProgrammed({ urn, type }: { urn: string; type: string }): boolean {
  return type !== "pulumi:pulumi:Stack" && !isDefaultProvider(urn);
}

function isDefaultProvider(urn: string): boolean {
  return /::pulumi:providers:[^:]+::default(_[\d_]+)?$/.test(urn);
}

/** Inputs as the program gave them: without the defaults that the provider filled in and noted. */
function given(
  inputs: Readonly<Record<string, unknown>>,
  asSecret: (value: unknown) => unknown,
): Record<string, unknown> {
  const defaults = z.array(z.string()).catch([]).parse(inputs["__defaults"]);
  return Object.fromEntries(
    Object.entries(inputs)
      .filter(
        ([key]) =>
          key !== "__defaults" && key !== "__internal" && key !== "version" && !defaults.includes(key),
      )
      .map(([key, value]) => [key, plainValue(value, asSecret)]),
  );
}

function plainValue(value: unknown, asSecret: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((each: unknown) => plainValue(each, asSecret));
  if (typeof value !== "object" || value === null) return value;
  if (secretSignature in value && "plaintext" in value) {
    return asSecret(plainValue(JSON.parse(z.string().parse(value.plaintext)), asSecret));
  }
  return given(Object.fromEntries(Object.entries(value)), asSecret);
}
