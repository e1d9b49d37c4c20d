import assert from "node:assert/strict";
import { execa } from "execa";
import { scriptCommand, sshArguments } from "../../../operations/native/host.ts";
import { unitsFrom } from "../../../operations/native/observe.ts";
import { environmentText, releaseOfUnit, stopCommands, unitName } from "../../../operations/native/unit.ts";

const template = "meal-planner-api@.service";

describe("a release as a unit", () => {
  it("is an instance of the template, and known by it", () => {
    assert.equal(unitName(template, "1.2.1-rc1"), "meal-planner-api@1.2.1-rc1.service");
    assert.equal(releaseOfUnit(template, "meal-planner-api@1.2.1-rc1.service"), "1.2.1-rc1");
    assert.equal(releaseOfUnit(template, "meal-planner-api@.service"), undefined);
    assert.equal(releaseOfUnit(template, "other@1.service"), undefined);
  });

  it("is a unit of its own, where these are no instances of a template", () => {
    const named = "planner-${release}-api.service";
    assert.equal(unitName(named, "1.2.1-rc1"), "planner-1.2.1-rc1-api.service");
    assert.equal(releaseOfUnit(named, "planner-1.2.1-rc1-api.service"), "1.2.1-rc1");
    assert.equal(releaseOfUnit(named, "planner--api.service"), undefined);
    assert.equal(releaseOfUnit(named, "planner-1.service"), undefined);
  });

  it("is stopped by a person with one command a host", () => {
    const unit = { unit: template, directory: "/opt/a", host: undefined };
    const host = { address: "10.0.0.5", user: "deploy", port: 2222, key: undefined, knownHosts: undefined };
    const there = { ...unit, host: { ...host, reach: undefined } };
    assert.deepEqual(
      stopCommands([
        { name: "a@1.service", unit },
        { name: "b@1.service", unit: there },
        { name: "a@2.service", unit },
      ]),
      [
        "systemctl disable --now a@1.service a@2.service",
        "ssh -p 2222 deploy@10.0.0.5 systemctl disable --now b@1.service",
      ],
    );
  });

  it("has an environment file that systemd reads as it was meant", () => {
    const text = environmentText(
      8101,
      new Map([
        ["B", 'a"b\\c$d`e'],
        ["A", "plain"],
      ]),
    );
    assert.equal(text, '# rollback port 8101\nA="plain"\nB="a\\"b\\\\c\\$d\\`e"\n');
  });

  it("is observed while it runs, with the port that was written for it; without one it is somebody else's", () => {
    const printed = [
      "Id=meal-planner-api@1.2.0.service\nActiveState=active\nLoadState=loaded\nExecMainStartTimestamp=@1795600029\n\nId=meal-planner-api@1.2.1.service\nActiveState=inactive\nLoadState=loaded\nExecMainStartTimestamp=\n\nId=meal-planner-api@2.service\nActiveState=deactivating\nExecMainStartTimestamp=@1\n\nId=meal-planner-api@mine.service\nActiveState=active\nExecMainStartTimestamp=@1\n",
      "/opt/meal-planner/env/1.2.0.env:# rollback port 8101\n/opt/meal-planner/env/2.env:# rollback port 8102\n",
    ].join("\x1e");
    const native = { unit: template, directory: "/opt/meal-planner", host: undefined };
    const found = unitsFrom(printed, "meal-planner", native, "10.80.0.1");
    assert.deepEqual(
      found.map(({ name, running, labels, startedAt }) => [
        name,
        running,
        labels.get("release"),
        labels.get("port"),
        startedAt,
      ]),
      [
        ["meal-planner-api@1.2.0.service", true, "1.2.0", "8101", 1795600029000],
        ["meal-planner-api@2.service", false, "2", "8102", 1000],
      ],
    );
  });
});

describe("a script for the service's host", () => {
  it("gets its values whole, whatever is in them, and standard input", async () => {
    const command = scriptCommand('printf "%s|" "$@"; cat', ["it's", "$(false) `x`", "a\nb", ""]);
    // As root the script runs by itself; without, it would ask for sudo.
    const asRoot = command.replace("id -u", "echo 0");
    const { stdout } = await execa("sh", ["-c", asRoot], { input: "in" });
    assert.equal(stdout, "it's|$(false) `x`|a\nb||in");
  });

  it("stops at the first command that fails", async () => {
    const asRoot = scriptCommand("false; echo on", []).replace("id -u", "echo 0");
    assert.equal((await execa("sh", ["-c", asRoot], { reject: false })).stdout, "");
  });

  it("goes over SSH without questions and to known hosts only", () => {
    const host = {
      address: "10.0.0.5",
      user: "deploy",
      port: 2222,
      key: "/k",
      knownHosts: "/h",
      reach: undefined,
    };
    const words = sshArguments(host, "/run/s", "true");
    const line = words.join(" ");
    assert.match(line, /-o BatchMode=yes -o StrictHostKeyChecking=yes/);
    assert.match(line, /-o UserKnownHostsFile=\/h -i \/k .*-p 2222 -T -- deploy@10\.0\.0\.5 true$/);
    const plain = sshArguments(
      { ...host, user: undefined, key: undefined, knownHosts: undefined },
      "/run/s",
      "true",
    ).join(" ");
    assert.doesNotMatch(plain, /UserKnownHostsFile| -i /);
    assert.match(plain, /-- 10\.0\.0\.5 true$/);
  });
});
