import { docker } from "../../operations/docker/run.ts";

/**
 * Ends a container's first process with SIGKILL from outside, as the kernel does when memory runs out. `docker kill`
 * will not do: Docker takes it for a wish and does not start the container again. Works where Docker is in a virtual
 * machine as well, through a container that sees the host's processes.
 */
export async function killFromOutside(container: string): Promise<void> {
  const pid = await docker(["inspect", "--type", "container", "--format", "{{.State.Pid}}", container]);
  await docker([
    ...["run", "--rm", "--pid", "host", "--user", "root", "--entrypoint", "sh"],
    ...["rollback-gateway:2", "-c", `kill -9 ${pid}`],
  ]);
}
