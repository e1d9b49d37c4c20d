import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Refusal } from "../settings/refusal.ts";
import { cacheFolder } from "./cache.ts";
import { attempt, lastLines, must } from "./command.ts";
import { longStep, say } from "./log.ts";
import { canInstallPackages, installPackages, isRoot, onPath, packageCandidate } from "./machine.ts";

/** What is known about Docker on this machine before anything is done about it. */
export interface DockerSituation {
  /** What `docker version` says: the engine answers; it may not be asked; nothing answers; there is no client. */
  readonly answer: "answers" | "denied" | "silent" | "no-client";
  /** Whether DOCKER_HOST, DOCKER_CONTEXT or a context other than "default" says which engine to use. */
  readonly chosen: boolean;
  /** Whether a socket lies at the default place, so that an engine (perhaps another's) is or was there. */
  readonly socket: boolean;
  /** Whether there is a `dockerd` to start. */
  readonly daemon: boolean;
  readonly root: boolean;
  /** Whether packages can be installed: root, on Debian or something made of it. */
  readonly packages: boolean;
}

/** What to do in a situation; `refuse` names the refusal. */
export type DockerStep = "use" | "start" | "install-engine" | "install-client" | { readonly refuse: string };

/**
 * Decides what to do about Docker. An engine that the user has chosen, or that refuses us, is never replaced by another:
 * only where there is none at all, and we are root, one is installed and started.
 */
export function decideDocker(situation: DockerSituation): DockerStep {
  const { answer, chosen, socket, daemon, root, packages } = situation;
  if (answer === "answers") return "use";
  if (answer === "denied") return { refuse: "DOCKER_DENIED" };
  if (answer === "no-client") {
    if (!packages) return { refuse: "DOCKER_MISSING" };
    return chosen || socket ? "install-client" : "install-engine";
  }
  if (chosen) return { refuse: "DOCKER_UNREACHABLE" };
  if (daemon) return root ? "start" : { refuse: "DOCKER_STOPPED" };
  return packages ? "install-engine" : { refuse: "DOCKER_STOPPED" };
}

/** The text of each refusal that `decideDocker` can name. `said` is what docker itself said. */
export function dockerRefusal(code: string, said: string): Refusal {
  const untouched = "Nothing was changed.";
  const user = process.env["USER"] ?? "$USER";
  switch (code) {
    case "DOCKER_DENIED":
      return new Refusal({
        code,
        found: `Docker is there, but this user may not use it: ${said}`,
        untouched,
        next: `sudo usermod -aG docker ${user}    and log in again, or run this as root.`,
      });
    case "DOCKER_MISSING":
      return new Refusal({
        code,
        found: "there is no `docker` command, and this is not root on Debian, where it could be installed.",
        untouched,
        next: "Install Docker (https://docs.docker.com/engine/install/), or run this as root on Debian.",
      });
    case "DOCKER_UNREACHABLE":
      return new Refusal({
        code,
        found: `the Docker engine that DOCKER_HOST or the docker context names does not answer: ${said}`,
        untouched,
        next: "Start that engine, or choose another: unset DOCKER_HOST, or `docker context use default`.",
      });
    default:
      return new Refusal({
        code,
        found: `no Docker engine answers: ${said}`,
        untouched,
        next: "Start Docker (Docker Desktop, or `sudo systemctl start docker`), or run this as root on Debian.",
      });
  }
}

/** A Docker engine that answers. */
export interface DockerEngine {
  /** Version of the engine. */
  readonly version: string;
  /** Environment that leads every client, the Pulumi plugin included, to this engine. */
  readonly env: Readonly<Record<string, string>>;
}

/** Finds the Docker engine to use, installs and starts one where there is none and we may. Refuses otherwise. */
export async function ensureDocker(): Promise<DockerEngine> {
  const done = new Set<DockerStep>();
  for (;;) {
    const asked = await ask();
    const step = decideDocker(await situation(asked.answer));
    if (step === "use") {
      const env = await endpoint();
      const where = env["DOCKER_HOST"] ?? `context ${env["DOCKER_CONTEXT"] ?? "default"}`;
      say("docker", `engine ${asked.text} at ${where}`);
      return { version: asked.text, env };
    }
    if (typeof step === "object") throw dockerRefusal(step.refuse, asked.text);
    // A step that has been taken and changed nothing will not help a second time.
    if (done.has(step)) throw dockerRefusal("DOCKER_STOPPED", asked.text);
    done.add(step);
    await take(step);
  }
}

async function ask(): Promise<{ answer: DockerSituation["answer"]; text: string }> {
  const outcome = await attempt("docker", ["version", "--format", "{{.Server.Version}}"], {
    timeoutMs: 20_000,
  });
  if (outcome.ok && outcome.stdout.trim() !== "") return { answer: "answers", text: outcome.stdout.trim() };
  if (outcome.missing) return { answer: "no-client", text: "there is no docker command" };
  const said = lastLines(outcome.tail, 1);
  return { answer: /permission denied/i.test(outcome.tail) ? "denied" : "silent", text: said };
}

async function situation(answer: DockerSituation["answer"]): Promise<DockerSituation> {
  const { env } = process;
  const name = answer === "no-client" ? "default" : ((await currentContext()).split(" ")[0] ?? "");
  return {
    answer,
    chosen: Boolean(env["DOCKER_HOST"]) || Boolean(env["DOCKER_CONTEXT"]) || !["", "default"].includes(name),
    socket: existsSync("/var/run/docker.sock"),
    daemon: (await onPath("dockerd")) !== undefined,
    root: isRoot(),
    packages: await canInstallPackages(),
  };
}

/** Name and endpoint of the client's context; empty from a client that knows no contexts. */
async function currentContext(): Promise<string> {
  const format = "{{.Name}} {{.Endpoints.docker.Host}}";
  const { ok, stdout } = await attempt("docker", ["context", "inspect", "--format", format]);
  return ok ? stdout.trim() : "";
}

/**
 * The environment that names the client's engine to programs that know DOCKER_HOST but no contexts. A context with TLS
 * material cannot be said in one variable; it is named as a context, which the Docker plugin understands.
 */
async function endpoint(): Promise<Record<string, string>> {
  const own = process.env["DOCKER_HOST"];
  return own === undefined || own === "" ? endpointOf(await currentContext()) : { DOCKER_HOST: own };
}

/** The environment for a context, from its `name host`; empty when docker did not tell. */
export function endpointOf(nameAndHost: string): Record<string, string> {
  const [name, host] = nameAndHost.split(" ");
  if (name === undefined || host === undefined || host === "") return {};
  return name !== "default" && host.startsWith("tcp:") ? { DOCKER_CONTEXT: name } : { DOCKER_HOST: host };
}

async function take(step: "start" | "install-engine" | "install-client"): Promise<void> {
  if (step === "start") return startDaemon();
  if (step === "install-client") {
    // In newer Debians the client is a package of its own; where it is not, it comes with the engine.
    const apart = (await packageCandidate("docker-cli")) !== undefined;
    return installPackages([apart ? "docker-cli" : "docker.io"]);
  }
  const client = (await packageCandidate("docker-cli")) === undefined ? [] : ["docker-cli"];
  return installPackages(["docker.io", "iptables", ...client]);
}

/** Starts the installed engine: through systemd where it runs, else by hand and detached, with its log in the cache. */
async function startDaemon(): Promise<void> {
  if (existsSync("/run/systemd/system")) {
    await longStep("docker", "starting the engine with systemd", () =>
      must("systemctl", ["start", "docker"], { timeoutMs: 90_000 }),
    );
    return;
  }
  const log = path.join(cacheFolder(), "dockerd.log");
  await longStep("docker", `starting dockerd (log: ${log})`, async () => {
    await mkdir(path.dirname(log), { recursive: true });
    const file = await open(log, "a");
    const child = spawn("dockerd", [], { detached: true, stdio: ["ignore", file.fd, file.fd] });
    child.unref();
    let ended = false;
    child.once("exit", () => (ended = true)).once("error", () => (ended = true));
    await file.close();
    for (let tries = 0; tries < 240; tries++) {
      if ((await ask()).answer === "answers") return;
      if (hasEnded()) break;
      await sleep(250);
    }
    throw new Refusal({
      code: "DOCKER_START",
      found: `dockerd did not come up. The end of ${log}:\n${lastLines(await readFile(log, "utf8"), 12)}`,
      next: "Mend what it names, then run this again.",
    });

    function hasEnded(): boolean {
      return ended;
    }
  });
}
