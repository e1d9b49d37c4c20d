import { readFileSync } from "node:fs";
import path from "node:path";
import * as docker from "@pulumi/docker";
import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import { recordedStack, type RecordedResource } from "./recorded.ts";

/**
 * What our program costs is measured against this one: it registers the same resources, as `pulumi stack export
 * --show-secrets` has recorded them in `resources.json` beside the project file, with the same parents, dependencies and
 * providers, and without hooks and observation.
 */
class Provider extends pulumi.ProviderResource {}

/** A class of an SDK; what it takes as arguments is what the state has as inputs. */
type ResourceClass = new (
  name: string,
  args: never,
  options: pulumi.CustomResourceOptions,
) => pulumi.CustomResource;

// The SDKs' own classes, as every program uses them: they hand on all properties of a type, given or not, which costs.
const classes: Readonly<Record<string, ResourceClass>> = {
  "pulumi:index:Stash": pulumi.Stash,
  "docker:index/container:Container": docker.Container,
  "docker:index/network:Network": docker.Network,
  "docker:index/volume:Volume": docker.Volume,
  "postgresql:index/role:Role": postgresql.Role,
  "postgresql:index/database:Database": postgresql.Database,
  "postgresql:index/grant:Grant": postgresql.Grant,
  "postgresql:index/schema:Schema": postgresql.Schema,
  "postgresql:index/defaultPrivileges:DefaultPrivileges": postgresql.DefaultPrivileges,
  "postgresql:index/extension:Extension": postgresql.Extension,
};

const text = readFileSync(path.join(pulumi.getRootDirectory(), "resources.json"), "utf8");
const { resources, outputs } = recordedStack(text, (value) => pulumi.secret(value));
const known = new Map<string, pulumi.Resource>();
for (const resource of resources) known.set(resource.urn, register(resource));

function register(resource: RecordedResource): pulumi.Resource {
  const { type, name, custom, inputs, provider, version } = resource;
  const parent = resource.parent === undefined ? undefined : known.get(resource.parent);
  const options = {
    ...(parent !== undefined && { parent }),
    dependsOn: resource.dependencies.flatMap((urn) => known.get(urn) ?? []),
    ...(version !== undefined && { version }),
  };
  if (!custom) return new pulumi.ComponentResource(type, name, inputs, options);
  const more = {
    ...options,
    retainOnDelete: resource.retainOnDelete,
    additionalSecretOutputs: [...resource.additionalSecretOutputs],
  };
  if (type.startsWith("pulumi:providers:")) return new Provider(type.replace(/^.*:/, ""), name, inputs, more);
  const own = provider === undefined ? undefined : known.get(provider);
  const Class = classes[type];
  if (Class === undefined) throw new Error(`no class for ${type}: add it to bench/plain/index.ts`);
  // Inputs of this very class, as the engine has recorded them: nothing here could know them better.
  return new Class(name, inputs as never, { ...more, ...(own instanceof Provider && { provider: own }) });
}

export default outputs;
