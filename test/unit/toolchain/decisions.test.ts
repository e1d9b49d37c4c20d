import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { choose, type Way } from "../../../toolchain/choose.ts";
import { decideDocker, dockerRefusal, endpointOf, type DockerSituation } from "../../../toolchain/docker.ts";
import { downloadable } from "../../../toolchain/download.ts";
import { downloadUrls } from "../../../toolchain/engine.ts";
import { buildArguments, decideGo } from "../../../toolchain/go.ts";
import { pluginUrls } from "../../../toolchain/plugins.ts";
import { quietly } from "./quietly.ts";

describe("which Docker engine to use", () => {
  const nothing: DockerSituation = {
    answer: "no-client",
    chosen: false,
    socket: false,
    daemon: false,
    root: false,
    packages: false,
  };

  it("uses an engine that answers, whatever else is there", () => {
    for (const root of [true, false])
      assert.equal(
        decideDocker({ ...nothing, answer: "answers", chosen: true, root, packages: root }),
        "use",
      );
  });

  it("installs one where there is none and packages can be installed", () => {
    assert.equal(decideDocker({ ...nothing, root: true, packages: true }), "install-engine");
    assert.equal(
      decideDocker({ ...nothing, answer: "silent", root: true, packages: true }),
      "install-engine",
    );
  });

  it("starts the one that is installed, as root", () => {
    assert.equal(decideDocker({ ...nothing, answer: "silent", daemon: true, root: true }), "start");
  });

  it("installs only the client where an engine's socket is there or an engine is chosen", () => {
    const root = { ...nothing, root: true, packages: true };
    assert.equal(decideDocker({ ...root, socket: true }), "install-client");
    assert.equal(decideDocker({ ...root, chosen: true }), "install-client");
  });

  it("never replaces an engine that the user chose or that refuses us", () => {
    const root = { ...nothing, root: true, packages: true, daemon: true };
    assert.deepEqual(decideDocker({ ...root, answer: "silent", chosen: true }), {
      refuse: "DOCKER_UNREACHABLE",
    });
    assert.deepEqual(decideDocker({ ...root, answer: "denied" }), { refuse: "DOCKER_DENIED" });
  });

  it("without root refuses, each time with the next step", () => {
    assert.deepEqual(decideDocker(nothing), { refuse: "DOCKER_MISSING" });
    assert.deepEqual(decideDocker({ ...nothing, answer: "silent", daemon: true }), {
      refuse: "DOCKER_STOPPED",
    });
    assert.deepEqual(decideDocker({ ...nothing, answer: "silent" }), { refuse: "DOCKER_STOPPED" });
    for (const code of ["DOCKER_DENIED", "DOCKER_MISSING", "DOCKER_UNREACHABLE", "DOCKER_STOPPED"]) {
      const refusal = dockerRefusal(code, "permission denied on /var/run/docker.sock");
      assert.equal(refusal.code, code);
      assert.ok(refusal.details.next);
    }
    assert.match(dockerRefusal("DOCKER_DENIED", "").message, /usermod -aG docker/);
  });

  it("names a context's socket as DOCKER_HOST, and a context with TLS as a context", () => {
    assert.deepEqual(endpointOf("desktop unix:///home/a/.docker/desktop/docker.sock"), {
      DOCKER_HOST: "unix:///home/a/.docker/desktop/docker.sock",
    });
    assert.deepEqual(endpointOf("far ssh://ops@host"), { DOCKER_HOST: "ssh://ops@host" });
    assert.deepEqual(endpointOf("far tcp://10.0.0.1:2376"), { DOCKER_CONTEXT: "far" });
    assert.deepEqual(endpointOf("default tcp://127.0.0.1:2375"), { DOCKER_HOST: "tcp://127.0.0.1:2375" });
    assert.deepEqual(endpointOf(""), {});
  });
});

describe("which Go compiles the engine", () => {
  it("uses one that is new enough", () => {
    assert.equal(decideGo("1.25.11", undefined), "use");
    assert.equal(decideGo("1.26.8", undefined), "use");
  });

  it("lets an older one fetch the one that is needed", () => {
    assert.equal(decideGo("1.24.4", undefined), "use-to-fetch");
    assert.equal(decideGo("1.21", undefined), "use-to-fetch");
  });

  it("installs Debian's where it is new enough to do that", () => {
    assert.equal(decideGo(undefined, "2:1.24~2"), "install");
    assert.equal(decideGo("1.19.8", "2:1.24~2"), "install");
  });

  it("refuses otherwise", () => {
    assert.equal(decideGo(undefined, undefined), "refuse");
    assert.equal(decideGo(undefined, "2:1.19~1"), "refuse");
    assert.equal(decideGo("1.19.8", undefined), "refuse");
  });

  it("is told the version to compile in, and strips the rest", () => {
    const program = { title: "", folder: "/f", target: "./cmd", version: "main.version=1", tags: "a" };
    assert.deepEqual(buildArguments(program, "/out/x"), [
      ...["build", "-v", "-tags", "a", "-ldflags", "-s -w -X main.version=1", "-o", "/out/x", "./cmd"],
    ]);
  });
});

describe("choosing between ways", () => {
  const way = (name: string, result: { got: string } | { not: string }, log: string[]): Way<string> => ({
    name,
    get: () => {
      log.push(name);
      return Promise.resolve(result);
    },
  });

  it("takes the first that leads there, asks no further, and says why the earlier ones did not", async () => {
    const asked: string[] = [];
    const { result, said } = await quietly(() =>
      choose(
        "tool",
        [
          way("on the PATH", { not: "it is 3.1, older than 3.2" }, asked),
          way("from the cache", { not: "" }, asked),
          way("downloaded", { got: "/x" }, asked),
          way("built", { got: "/y" }, asked),
        ],
        (value) => value,
      ),
    );
    assert.deepEqual(result, { value: "/x", way: "downloaded" });
    assert.deepEqual(asked, ["on the PATH", "from the cache", "downloaded"]);
    assert.match(said, /^tool +\/x, downloaded \(it is 3\.1, older than 3\.2\)\n$/);
  });

  it("has no answer when none leads there", async () => {
    const { result, said } = await quietly(() => choose("tool", [way("a", { not: "no" }, [])], String));
    assert.equal(result, undefined);
    assert.equal(said, "");
  });
});

describe("official downloads", () => {
  it("come from where the official installer and the engine get them", () => {
    assert.deepEqual(downloadUrls("3.259.0", "darwin", "arm64"), [
      "https://github.com/pulumi/pulumi/releases/download/v3.259.0/pulumi-v3.259.0-darwin-arm64.tar.gz",
      "https://get.pulumi.com/releases/sdk/pulumi-v3.259.0-darwin-arm64.tar.gz",
    ]);
    assert.deepEqual(pluginUrls("docker", "5.2.0", "linux", "x64"), [
      "https://github.com/pulumi/pulumi-docker/releases/download/v5.2.0/pulumi-resource-docker-v5.2.0-linux-amd64.tar.gz",
      "https://get.pulumi.com/releases/plugins/pulumi-resource-docker-v5.2.0-linux-amd64.tar.gz",
    ]);
  });

  it("are taken from the first server that has the file", async () => {
    const answers = (url: string | URL | Request): Promise<Response> =>
      url instanceof Request || !String(url).includes("//b/")
        ? Promise.resolve(new Response(null, { status: 404 }))
        : Promise.resolve(new Response(null, { status: 200 }));
    assert.equal(await downloadable(["https://a/f", "https://b/f"], answers, new Set()), "https://b/f");
  });

  it("are given up when no server answers, and a silent server is asked once", async () => {
    let asked = 0;
    const silence = (): Promise<Response> => {
      asked++;
      return Promise.reject(new TypeError("fetch failed"));
    };
    const silent = new Set<string>();
    assert.equal(
      await downloadable(["https://a/f", "https://a/g", "https://b/f"], silence, silent),
      undefined,
    );
    assert.equal(await downloadable(["https://a/h"], silence, silent), undefined);
    assert.equal(asked, 2);
  });
});
