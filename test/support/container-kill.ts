import { docker } from "../../operations/docker/run.ts";
import { gatewayImage } from "../../operations/traffic/plan.ts";

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

/** Ends the first processes of all these containers at one stroke, as the end of Docker without live-restore does. */
export async function killAllFromOutside(containers: readonly string[]): Promise<void> {
  const pids = await docker([
    ...["inspect", "--type", "container", "--format", "{{.State.Pid}}"],
    ...containers,
  ]);
  // One that is not running has none: 0 would mean whoever asks.
  const running = pids.split("\n").filter((pid) => pid !== "0");
  await inHostsProcesses(`kill -KILL ${running.join(" ")}`);
}

async function inHostsProcesses(script: string): Promise<void> {
  await docker([
    ...["run", "--rm", "--pid", "host", "--user", "root", "--entrypoint", "sh"],
    ...[gatewayImage, "-c", script],
  ]);
}
