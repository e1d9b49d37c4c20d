import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { docker, DockerFailure } from "../../operations/docker/run.ts";
import { ensureImage } from "../../toolchain/images.ts";
import type { NativeHost } from "../../settings/types.ts";
import { bridgeAddress } from "./bridge-address.ts";
import { freePorts } from "./free-ports.ts";
import { installPackages, onPath } from "../../toolchain/machine.ts";

/** A machine that systemd runs, in a container with this machine's network, reached over SSH. */
export interface SystemdMachine {
  readonly container: string;
  readonly host: NativeHost & { readonly key: string; readonly knownHosts: string };
  /** Ports of its own for three releases. */
  readonly ports: readonly [number, number, number];
  /** Runs a command on it by another way than the program does. */
  run(...command: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

const tag = "rollback-test-systemd:2";

/** Starts it; a text says why systemd does not boot on this machine. */
export async function startSystemd(): Promise<SystemdMachine | string> {
  await ensureImage({ tag, folder: path.join(import.meta.dirname, "systemd") });
  const container = `rbt-systemd-${randomBytes(4).toString("hex")}`;
  const folder = await mkdtemp(path.join(tmpdir(), "rollback-systemd-"));
  const [ssh = 0, first = 0, second = 0, third = 0] = await freePorts(4);
  const address = await bridgeAddress();
  const key = path.join(folder, "key");
  const knownHosts = path.join(folder, "known_hosts");
  const run = (...command: readonly string[]): Promise<string> => docker(["exec", container, ...command]);
  const remove = async (): Promise<void> => {
    await docker(["rm", "-f", "-v", container]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    // What the way to another host needs; a bare machine has no SSH client.
    if (!(await onPath("ssh-keygen"))) await installPackages(["openssh-client"]);
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    await writeFile(
      path.join(folder, "sshd.conf"),
      `Port ${ssh}\nListenAddress ${address}\nPermitRootLogin prohibit-password\n`,
    );
    await docker([
      ...["create", "--name", container, "--network", "host", "--cap-add", "SYS_ADMIN"],
      ...["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"],
      ...[
        "--tmpfs",
        "/run",
        "--tmpfs",
        "/run/lock",
        "--tmpfs",
        "/tmp",
        "-v",
        "/sys/fs/cgroup:/sys/fs/cgroup:rw",
        tag,
      ],
    ]);
    await docker(["cp", path.join(folder, "sshd.conf"), `${container}:/etc/ssh/sshd_config.d/test.conf`]);
    await docker(["start", container]);
    const why = await booted(container, run);
    if (why !== undefined) {
      await remove();
      return why;
    }
    await docker(
      [
        "exec",
        "-i",
        container,
        "sh",
        "-c",
        "umask 077; mkdir -p /root/.ssh; cat > /root/.ssh/authorized_keys",
      ],
      {
        input: await readFile(`${key}.pub`, "utf8"),
      },
    );
    const hostKey = await run("cat", "/etc/ssh/ssh_host_ed25519_key.pub");
    await writeFile(knownHosts, `[${address}]:${ssh} ${hostKey}\n`);
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
  const host = { address, user: "root", port: ssh, key, knownHosts, reach: "127.0.0.1" };
  return { container, host, ports: [first, second, third], run, remove };
}

/** Waits until it is up; what it said where it does not come up. */
async function booted(container: string, run: SystemdMachine["run"]): Promise<string | undefined> {
  let last = "";
  for (let attempt = 0; attempt < 120; attempt += 1) {
    try {
      last = await run("systemctl", "is-system-running");
      if (last === "running") return undefined;
    } catch (error) {
      if (!(error instanceof DockerFailure)) throw error;
      // "degraded", with exit code 1, is up as well: some unit has no place in a container.
      last = error.stdout.trim() || error.stderr;
      if (last === "degraded") return undefined;
      if (/is not running/.test(last)) break;
    }
    await sleep(500);
  }
  const log = await docker(["logs", "--tail", "5", container], { errorsToo: true });
  return `systemd does not boot in a container on this machine (${last}): ${log}`;
}
