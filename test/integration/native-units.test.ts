import assert from "node:assert/strict";
import {
  checkRelease,
  flagsAreRead,
  restartUnit,
  startUnit,
  stopOthers,
  writeEnvironment,
  writeUnitFlags,
} from "../../operations/native/control.ts";
import { observeUnits } from "../../operations/native/observe.ts";
import { unitName } from "../../operations/native/unit.ts";
import { isRefusal } from "../../settings/refusal.ts";
import type { Native } from "../../settings/types.ts";
import { startSystemd, type SystemdMachine } from "../support/systemd.ts";

/** Says what it has read when it started. */
const unitText = (release: string): string => `[Service]
EnvironmentFile=/opt/worker/env/${release}.env
ExecStart=/bin/sh -c 'echo "mark $MARK"; exec sleep infinity'
[Install]
WantedBy=multi-user.target
`;

describe("units of releases, by themselves", function () {
  this.timeout(120_000);
  let machine: SystemdMachine;
  let template: Native;
  let named: Native;

  before(async function () {
    this.timeout(300_000);
    const started = await startSystemd();
    if (typeof started === "string") {
      console.log(`    ${started}`);
      return this.skip();
    }
    machine = started;
    cleaning.push(() => machine.remove());
    template = { unit: "worker@.service", directory: "/opt/worker", host: machine.host };
    named = { ...template, unit: "worker-${release}.service" };
    await machine.run("mkdir", "-p", "/opt/worker/releases/1", "/opt/worker/releases/2");
    const files = [
      ["worker@", "%i"],
      ["worker-1", "1"],
      ["worker-2", "2"],
      ["worker-mine", "1"],
    ] as const;
    for (const [file, release] of files) {
      const write = 'printf "%s" "$2" > "/etc/systemd/system/$1.service"';
      await machine.run("sh", "-c", write, "sh", file, unitText(release));
    }
    await machine.run("systemctl", "daemon-reload");
  });
  const cleaning: (() => Promise<void>)[] = [];
  after(() => Promise.all(cleaning.map((clean) => clean())));

  const environment = (native: Native, release: string, mark: string): Promise<boolean> =>
    writeEnvironment(native, release, 9000, new Map([["MARK", mark]]));
  const show = (native: Native, release: string, property: string): Promise<string> =>
    machine.run("systemctl", "show", "--value", "-p", property, unitName(native.unit, release));
  const marks = async (native: Native, release: string): Promise<string[]> => {
    const log = await machine.run("journalctl", "-q", "-o", "cat", "-u", unitName(native.unit, release));
    return log.split("\n").filter((line) => line.startsWith("mark "));
  };
  const seen = async (native: Native): Promise<string[]> => {
    const services = new Map([["worker", { name: "worker", native }]]);
    return (await observeUnits({ services }, "10.80.0.0/20")).map(({ name }) => name).sort();
  };

  it("are restarted by the next run where one was killed between writing their environment and restarting them", async () => {
    assert.equal(await environment(template, "1", "first"), true);
    await startUnit(template, "1");
    assert.equal(await environment(template, "1", "first"), false);
    assert.equal(await environment(template, "1", "second"), true);
    // Here the run is killed.
    assert.equal(await environment(template, "1", "second"), true);
    await restartUnit(template, "1");
    assert.equal(await environment(template, "1", "second"), false);
    assert.equal((await marks(template, "1")).at(-1), "mark second");
  });

  it("are told by the next run of flags that a killed one has written, and of none that they have read", async () => {
    const flags = new Map([["NEW", "true"]]);
    assert.equal(await writeUnitFlags(template, "1", flags), true);
    assert.equal(await writeUnitFlags(template, "1", flags), true);
    await startUnit(template, "1");
    assert.equal(await writeUnitFlags(template, "1", flags), true, "a running one is left alone");
    await flagsAreRead(template, "1");
    assert.equal(await writeUnitFlags(template, "1", flags), false);
    assert.equal(await writeUnitFlags(template, "1", new Map()), true);
    await restartUnit(template, "1");
    assert.equal(await writeUnitFlags(template, "1", new Map()), false);
  });

  it("leave none behind that a reboot would start: neither a running one nor one that has died", async () => {
    await environment(template, "2", "other");
    await startUnit(template, "2");
    await machine.run("systemctl", "kill", "-s", "KILL", unitName(template.unit, "2"));
    for (const until = Date.now() + 30_000; (await show(template, "2", "ActiveState")) !== "failed";)
      assert.ok(Date.now() < until);
    assert.equal(await show(template, "2", "UnitFileState"), "enabled");
    assert.deepEqual(await stopOthers(template, [unitName(template.unit, "1")]), ["worker@2.service"]);
    assert.equal(await show(template, "2", "UnitFileState"), "disabled");
    assert.equal(await show(template, "1", "ActiveState"), "active");
    assert.deepEqual(await stopOthers(template, []), ["worker@1.service"]);
    assert.deepEqual(await stopOthers(template, []), []);
    assert.equal(await show(template, "1", "UnitFileState"), "disabled");
  });

  it("may be units of their own instead of instances, and what has a like name is left alone", async () => {
    await checkRelease(named, "2");
    await machine.run("mkdir", "-p", "/opt/worker/releases/3");
    await assert.rejects(checkRelease(named, "3"), (error) => isRefusal(error, "NATIVE_UNIT_MISSING"));
    for (const release of ["1", "2"]) {
      await environment(named, release, `own ${release}`);
      await startUnit(named, release);
    }
    await machine.run("systemctl", "start", "worker-mine.service");
    assert.deepEqual(await seen(named), ["worker-1.service", "worker-2.service"]);
    assert.deepEqual(await marks(named, "2"), ["mark own 2"]);
    assert.deepEqual(await stopOthers(named, ["worker-1.service"]), ["worker-2.service"]);
    assert.deepEqual(
      [await show(named, "1", "ActiveState"), await show(named, "1", "UnitFileState")],
      ["active", "enabled"],
    );
    assert.equal(await show(named, "mine", "ActiveState"), "active");
  });
});
