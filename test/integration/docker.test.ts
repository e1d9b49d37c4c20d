import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  observeContainers,
  observeImages,
  observeSubnet,
  volumeExists,
} from "../../operations/docker/observe.ts";
import { removeOrphanContainer, removeOrphanNetwork } from "../../operations/docker/orphans.ts";
import { docker } from "../../operations/docker/run.ts";
import { isRefusal } from "../../settings/refusal.ts";

const base = "debian:trixie-slim";
const name = `rbt-docker-${randomBytes(3).toString("hex")}`;
const stack = `rbt/${name}`;

describe("what Docker has", () => {
  before(async () => {
    await docker([
      "network",
      "create",
      "--subnet",
      "10.127.240.0/24",
      "--label",
      `rollback.stack=${stack}`,
      name,
    ]);
    await docker([
      ...[
        "create",
        "--name",
        name,
        "--network",
        name,
        "--ip",
        "10.127.240.9",
        "--label",
        `rollback.stack=${stack}`,
      ],
      ...["--label", "rollback.part=service", base, "sleep", "60"],
    ]);
  });

  after(async () => {
    await docker(["rm", "-f", name]).catch(() => undefined);
    await docker(["network", "rm", name]).catch(() => undefined);
  });

  it("is given up when it does not answer in time, with a code and what that can mean", async () => {
    await assert.rejects(
      docker(["run", "--rm", "--name", `${name}-slow`, base, "sleep", "30"], { timeoutMs: 1_500 }),
      (error) => isRefusal(error, "DOCKER_SLOW") && /may have been done/.test(error.message),
    );
    await docker(["rm", "--force", `${name}-slow`]);
  });

  it("is told of images by tag and id in one question, and of those that are missing by their absence", async () => {
    const id = await docker(["image", "inspect", "--format", "{{.Id}}", base]);
    const found = await observeImages([base, "rbt-no-such-image:1", id, base]);
    assert.deepEqual(
      [...found],
      [
        [base, id],
        [id, id],
      ],
    );
    assert.deepEqual(await observeImages([]), new Map());
  });

  it("includes a container that has never run, with the address it will have", async () => {
    const [container] = await observeContainers(stack, name);
    assert.equal(container?.name, name);
    assert.equal(container.running, false);
    assert.equal(container.address, "10.127.240.9");
    assert.equal(container.labels.get("part"), "service");
    await docker(["start", name]);
    assert.equal((await observeContainers(stack, name))[0]?.running, true);
  });

  it("includes the network's subnet, and no volume that is not there", async () => {
    assert.equal(await observeSubnet(name), "10.127.240.0/24");
    assert.equal(await observeSubnet(`${name}-absent`), undefined);
    assert.equal(await volumeExists(`${name}-absent`), false);
  });

  it("is only removed when it is this stack's own orphan", async () => {
    await assert.rejects(removeOrphanContainer(name, "somebody/else"), (error) =>
      isRefusal(error, "NAME_TAKEN"),
    );
    await assert.rejects(removeOrphanNetwork(name, stack), (error) => isRefusal(error, "NETWORK_IN_USE"));
    await docker(["kill", name]);
    await removeOrphanContainer(name, stack);
    await removeOrphanContainer(name, stack);
    assert.deepEqual(await observeContainers(stack, name), []);
    await removeOrphanNetwork(name, stack);
    assert.equal(await observeSubnet(name), undefined);
  });
});
