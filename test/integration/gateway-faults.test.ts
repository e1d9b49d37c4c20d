import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../operations/docker/run.ts";
import { gatewayImage } from "../../operations/traffic/plan.ts";
import { gateStatus, openGate } from "../../operations/traffic/gate.ts";
import { openHold } from "../../operations/traffic/lease.ts";
import { claimRoutes, readRoutes } from "../../operations/traffic/routes.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { signalFromOutside } from "../support/container-kill.ts";
import { startGatewayOfTwo } from "../support/gateway.ts";
import type { TestGateway, TestUpstream } from "../support/gateway.ts";
import { ask } from "../support/http-client.ts";

describe("a gateway with a fault", function () {
  this.timeout(90_000);
  let gateway: TestGateway;
  let old: TestUpstream;
  let next: TestUpstream;
  const answering = async (): Promise<string> => String((await ask(gateway.url)).headers["x-release"]);

  /** A shell in the folder of the gate's state, whether the door runs or not. */
  const inGateVolume = (script: string, input = ""): Promise<string> =>
    docker(
      [
        ...["run", "--rm", "-i", "-v", `${gateway.prefix}-gate:/var/lib/gate`, "-w", "/var/lib/gate"],
        ...["--entrypoint", "sh", gatewayImage, "-c", script],
      ],
      { input },
    );

  before(async function () {
    this.timeout(600_000);
    ({ gateway, old, next } = await startGatewayOfTwo("256k"));
    await gateway.route(old);
    await openGate(gateway.door);
  });
  after(() => gateway.remove());

  it("keeps its routes when its disk is full, says so, and takes the new ones once there is room", async () => {
    const before = await readRoutes(gateway.router);
    const fill = "dd if=/dev/zero of=/etc/gateway/routes/full bs=1k count=1024 2>/dev/null; true";
    await docker(["exec", gateway.router, "sh", "-c", fill]);
    const unstored = (error: unknown): boolean =>
      isRefusal(error, "ROUTES_REFUSED") && /No space left/.test(error.details.found);
    await assert.rejects(gateway.route(next), unstored);
    await assert.rejects(claimRoutes(gateway.router, "later"), unstored);
    assert.deepEqual([await readRoutes(gateway.router), await answering()], [before, "1.2.0"]);
    await docker(["exec", gateway.router, "rm", "/etc/gateway/routes/full"]);
    assert.equal(await gateway.route(next), "applied");
    assert.equal(await answering(), "1.2.1");
    await gateway.route(old);
  });

  it("whose router ignores the reload keeps the old routes, also when it wakes up later", async () => {
    const before = await readRoutes(gateway.router);
    await signalFromOutside(gateway.router, "STOP");
    try {
      await assert.rejects(
        gateway.route(next),
        (error) => isRefusal(error, "ROUTES_REFUSED") && /does not answer/.test(error.details.found),
      );
      assert.equal(await answering(), "1.2.0");
    } finally {
      await signalFromOutside(gateway.router, "CONT");
    }
    await sleep(1_000);
    assert.deepEqual([await readRoutes(gateway.router), await answering()], [before, "1.2.0"]);
    assert.equal(await gateway.route(next), "applied");
    assert.equal(await answering(), "1.2.1");
    await gateway.route(old);
  });

  for (const [jump, ms] of [
    ["ahead", 3_600_000],
    ["back", -3_600_000],
  ] as const) {
    it(`whose clock jumps an hour ${jump} while the door is down holds no longer than its lease`, async () => {
      const lease = await openHold(gateway.door, { hold: 60_000, held: 100, leaseMs: 5_000 });
      await lease.letGo();
      await docker(["kill", gateway.door]);
      // What the door finds on its disk when the clock is another: its deadline, as far off as the jump.
      const state = JSON.parse(await inGateVolume("cat state.json")) as { untilClock: number };
      const moved = { ...state, untilClock: state.untilClock - ms };
      await inGateVolume("cat > state.json", JSON.stringify(moved));
      await docker(["start", gateway.door]);
      const until = Date.now() + 7_000;
      while ((await gateStatus(gateway.door).catch(() => undefined))?.mode !== "open") {
        assert.ok(Date.now() < until, "the hold has outlived its lease");
        await sleep(100);
      }
      assert.equal(await answering(), "1.2.0");
    });
  }

  it("is held as long as it should be when the program's clock jumps", async () => {
    const { now } = Date;
    const lease = await openHold(gateway.door, { hold: 60_000, held: 100, leaseMs: 3_000 });
    try {
      for (const ms of [3_600_000, -3_600_000]) {
        Date.now = () => now() + ms;
        await sleep(2_000);
        lease.assertHeld();
        assert.equal((await gateStatus(gateway.door)).mode, "hold");
      }
    } finally {
      Date.now = now;
    }
    assert.equal((await lease.release()).expired, false);
  });
});
