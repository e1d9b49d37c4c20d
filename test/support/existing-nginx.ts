import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { docker } from "../../operations/docker/run.ts";
import { gatewayImage } from "../../operations/traffic/plan.ts";

/** An nginx that is not the stack's, with a site of its own. */
export interface ExistingNginx {
  readonly container: string;
  /** Its `conf.d`, on this machine. */
  readonly folder: string;
  readonly reload: readonly string[];
  /** What is in the folder, by name. */
  files(): Promise<Record<string, string>>;
  /** Process ids of its workers, which a reload changes. */
  workers(): Promise<string[]>;
  kill(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

export const ownSite = "map $host $own_site { default yes; }\n";

/** Starts one: on the machine's own network, as an nginx from the distribution's package, or on a network of Docker's. */
export async function startNginx(
  root: string,
  name: string,
  options: { readonly network?: string; readonly publish?: number } = {},
): Promise<ExistingNginx> {
  const folder = path.join(root, "conf.d");
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(root, "nginx.conf"), configuration);
  await writeFile(path.join(folder, "own-site.conf"), ownSite);
  // The test's folders are for its own user only.
  await chmod(root, 0o755);
  await docker([
    ...["run", "-d", "--name", name, "--network", options.network ?? "host", "--user", "0"],
    ...(options.publish === undefined ? [] : ["-p", `127.0.0.1:${options.publish}:${options.publish}`]),
    ...["-v", `${root}:/edge`, "--entrypoint", "nginx", gatewayImage],
    ...["-c", "/edge/nginx.conf", "-g", "daemon off;"],
  ]);
  return {
    container: name,
    folder,
    reload: ["docker", "exec", name, "nginx", "-c", "/edge/nginx.conf", "-s", "reload"],
    files: async () => {
      const read = async (file: string) => [file, await readFile(path.join(folder, file), "utf8")] as const;
      return Object.fromEntries<string>(await Promise.all((await readdir(folder)).map(read)));
    },
    workers: async () => {
      const lines = (await docker(["top", name, "-o", "pid,args"])).split("\n");
      return lines
        .filter((line) => line.includes("worker process"))
        .map((line) => line.trim().split(" ")[0] ?? "");
    },
    kill: async () => {
      await docker(["kill", name]);
    },
    start: async () => {
      await docker(["start", name]);
    },
    remove: async () => {
      await docker(["rm", "--force", name]);
      await rm(root, { recursive: true, force: true });
    },
  };
}

const configuration = `
user root;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
worker_processes 2;
events { worker_connections 4096; }
http {
  access_log off;
  include /edge/conf.d/*.conf;
}
`;
