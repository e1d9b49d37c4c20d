import { list, mistake, strict, text } from "../shapes.ts";

const containerName = text(
  "the name of a Docker container: letters, digits and . _ -, 2 to 128, beginning with a letter or digit",
  /^[A-Za-z0-9][A-Za-z0-9_.-]{1,127}$/,
);

/** Containers that somebody else started and that this stack takes the place of, at its first `pulumi up`. */
export const takeover = strict({
  server: containerName,
  containers: list(containerName, "a list of containers").default([]),
}).superRefine(({ server, containers }, context) => {
  const at = containers.indexOf(server);
  if (at !== -1)
    mistake(
      context,
      ["containers", at],
      `found ${JSON.stringify(server)}, which is \`server\`: it is stopped last and named once`,
    );
});
