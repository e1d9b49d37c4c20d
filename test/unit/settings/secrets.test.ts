import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { isRefusal } from "../../../settings/refusal.ts";
import {
  keyedHash,
  rolePassword,
  scramVerifier,
  scramVerifierWithSalt,
  secretHash,
  secretsFrom,
} from "../../../settings/secrets.ts";

const secrets = secretsFrom(
  new Map([
    ["db", "correct horse battery staple"],
    ["apiKey", "hunter2"],
  ]),
);

describe("secrets", () => {
  it("hand out a value by name", () => {
    assert.equal(secrets.get("apiKey"), "hunter2");
    assert.deepEqual(secrets.names, ["db", "apiKey"]);
  });

  it("refuse a name that is not there, with the command that sets it", () => {
    assert.throws(
      () => secrets.get("smtp"),
      (error) => isRefusal(error, "SECRET_MISSING") && error.message.includes("rollback:secrets.smtp"),
    );
  });

  it("cannot be printed or serialised", () => {
    for (const text of [inspect(secrets, { depth: 9, showHidden: true }), JSON.stringify(secrets)]) {
      assert.doesNotMatch(text, /hunter2|horse/);
    }
  });
});

describe("keyedHash", () => {
  it("is the same for the same text, and another one for another text or another key", () => {
    assert.match(keyedHash(secrets, "a"), /^[0-9a-f]{64}$/);
    assert.equal(keyedHash(secrets, "a"), keyedHash(secrets, "a"));
    assert.notEqual(keyedHash(secrets, "a"), keyedHash(secrets, "b"));
    assert.notEqual(
      keyedHash(secrets, "a"),
      keyedHash(secretsFrom(new Map([["db", "another secret"]])), "a"),
    );
  });

  it("of a role's name is not that role's password, which would be recorded in clear", () => {
    fc.assert(fc.property(fc.string(), (role) => keyedHash(secrets, role) !== rolePassword(secrets, role)));
  });

  it("tells which secret a value was for", () => {
    const twins = secretsFrom(
      new Map([
        ["db", "correct horse battery staple"],
        ["one", "same"],
        ["two", "same"],
      ]),
    );
    assert.notEqual(secretHash(twins, "one"), secretHash(twins, "two"));
  });
});

describe("scramVerifier", () => {
  it("follows RFC 7677 (the example of its section 3)", () => {
    assert.equal(
      scramVerifierWithSalt("pencil", Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64")),
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    );
  });

  it("is what PostgreSQL 17.11 was given, kept as it was and let the password in with", () => {
    const password = rolePassword(secrets, "meal_planner_1_2_0");
    assert.equal(password, "4ce80cb13dd39eaef1c310abbfcc5ea7d3250ee1e3f2643797e5885f91e1140a");
    assert.equal(
      scramVerifier(password, "meal_planner_1_2_0"),
      "SCRAM-SHA-256$4096:Hce77GjdoxtDP+YR7NJwYA==$p92VO5/xctmi/pnteMh9Udg5Q8QIYMCY+sC3AibEdlI=:LwGATaoSNimgec6aOrqaBZld8Syud1acVPwm8ATC1PM=",
    );
  });

  it("has another salt for another role, the same one at every repetition", () => {
    assert.equal(scramVerifier("p", "a"), scramVerifier("p", "a"));
    assert.notEqual(scramVerifier("p", "a"), scramVerifier("p", "b"));
  });

  it("does not guess how a password outside ASCII would have to be prepared", () => {
    assert.throws(() => scramVerifier("pässword", "a"), RangeError);
    assert.throws(() => scramVerifier("", "a"), RangeError);
  });
});
