import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

// What one writes at first: one container, one name, the tag from the configuration. Another tag replaces it.
const config = new pulumi.Config();

export const container = new docker.Container(
  "meal-planner",
  {
    name: config.require("container"),
    image: `meal-planner:v${config.require("release")}`,
    envs: [pulumi.interpolate`DATABASE_URL=${config.requireSecret("databaseUrl")}`],
    networksAdvanced: [{ name: config.require("network") }],
    ports: [{ internal: 8080, external: config.requireNumber("port"), ip: "127.0.0.1" }],
    labels: [{ label: "rollback.stack", value: config.require("label") }],
    restart: "unless-stopped",
  },
  // The name is taken until the old one is gone.
  { deleteBeforeReplace: true },
).name;
