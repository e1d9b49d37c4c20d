import { docker } from "../../operations/docker/run.ts";

/**
 * Ends a container's first process with SIGKILL from outside, as the kernel does when memory runs out. `docker kill`
 * will not do: Docker takes it for a wish and does not start the container again.
 */
export async function killFromOutside(container: string): Promise<void> {
  await signalFromOutside(container, "KILL");
}

/**
 * Sends a signal to a container's first process from outside: the kernel keeps process 1 from KILL and STOP of its own
 * container. Works where Docker is in a virtual machine as well, through a container that sees the host's processes.
 */
export async function signalFromOutside(container: string, signal: "KILL" | "STOP" | "CONT"): Promise<void> {
  const pid = await docker(["inspect", "--type", "container", "--format", "{{.State.Pid}}", container]);
  await inHostsProcesses(`kill -${signal} ${pid}`);
}

async function inHostsProcesses(script: string): Promise<void> {
  await docker([
    ...["run", "--rm", "--pid", "host", "--user", "root", "--entrypoint", "sh"],
    ...["rollback-gateway:3", "-c", script],
  ]);
}
