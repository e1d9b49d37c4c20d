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
class Custom extends pulumi.CustomResource {}
class Provider extends pulumi.ProviderResource {}

// Loaded as a program that names them would load them: the SDKs read a class's file at its first use.
const loaded = [
  docker.Container,
  docker.Network,
  docker.Volume,
  postgresql.Role,
  postgresql.Database,
  postgresql.Grant,
  postgresql.Schema,
  postgresql.DefaultPrivileges,
  postgresql.Extension,
  postgresql.Provider,
];
if (!loaded.every((each) => typeof each === "function")) throw new Error("an SDK lacks a class");

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
  return new Custom(type, name, inputs, { ...more, ...(own instanceof Provider && { provider: own }) });
}

export default outputs;
