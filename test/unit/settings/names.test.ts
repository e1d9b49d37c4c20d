import assert from "node:assert/strict";
import fc from "fast-check";
import {
  containerName,
  dockerName,
  loginRole,
  operatorRole,
  ownerRole,
  part,
  prefix,
  stackLabel,
} from "../../../settings/names.ts";

const stack = { project: "meal-planner", stack: "prod" };
const dockerSyntax = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** Database names as the configuration allows them, biased towards ends that look like a version or a role. */
const databases = fc
  .tuple(
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,60}$/),
    fc.constantFrom("", "_1", "_v2", "_owner", "_1_2", "_x0a1b2c3d"),
  )
  .map(([start, end]) => (start + end).slice(0, 63));
const releases = fc.oneof(
  fc.stringMatching(/^v?\d{1,3}(\.\d{1,3}){0,3}$/),
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/),
  fc.constantFrom("owner", "operator", "1_2", "1.2", "1-2", "V1"),
);

describe("names in Docker", () => {
  it("begin with project and stack", () => {
    assert.equal(prefix(stack), "meal-planner-prod");
    assert.equal(part(prefix(stack), "postgres"), "meal-planner-prod-postgres");
    assert.equal(stackLabel(stack), "meal-planner/prod");
  });

  it("of a service's container carry service, release, hash and, after the first, the replica", () => {
    assert.equal(containerName("p", "app", "1.2.0", 0, "0a1b2c3d"), "p-app-1.2.0-0a1b2c3d");
    assert.equal(containerName("p", "app", "1.2.0", 1, "0a1b2c3d"), "p-app-1.2.0-1-0a1b2c3d");
  });

  it("are valid and short enough, whatever they are made of", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }), (pieces) => {
        const name = dockerName(...pieces);
        assert.match(name, dockerSyntax);
        assert.ok(name.length <= 63);
      }),
    );
  });

  it("differ where what they stand for differs, also when cut or cleaned", () => {
    const long = fc.string({ minLength: 50, maxLength: 90, unit: fc.constantFrom("a", "b", "+", "_", " ") });
    fc.assert(
      fc.property(
        long,
        long,
        (one, other) => one === other || dockerName("p", one) !== dockerName("p", other),
      ),
    );
    assert.notEqual(dockerName("p", "1.2+3"), dockerName("p", "1.2_3"));
  });
});

describe("roles", () => {
  it("are called after database and release", () => {
    assert.equal(ownerRole("meal_planner"), "meal_planner_owner");
    assert.equal(loginRole("meal_planner", "1.2.0"), "meal_planner_1_2_0");
    assert.equal(loginRole("meal_planner", "v1.2.0"), "meal_planner_v1_2_0");
    assert.match(loginRole("meal_planner", "1.2.1-rc1"), /^meal_planner_1_2_1_rc1_x[0-9a-f]{8}$/);
    assert.match(loginRole("Meal-Planner", "1.2.1"), /^meal_planner_1_2_1_x[0-9a-f]{8}$/);
  });

  it("are valid without quotes and no longer than PostgreSQL keeps", () => {
    fc.assert(
      fc.property(databases, releases, (database, release) => {
        for (const role of [loginRole(database, release), ownerRole(database)]) {
          assert.match(role, /^[a-z_][a-z0-9_]*$/);
          assert.ok(role.length <= 63);
        }
      }),
    );
  });

  it("are shared by no two pairs of database and release", () => {
    fc.assert(
      fc.property(databases, releases, databases, releases, (database, release, other, another) => {
        fc.pre(database !== other || release !== another);
        assert.notEqual(loginRole(database, release), loginRole(other, another));
      }),
      { numRuns: 2000 },
    );
    for (const [one, other] of [
      [loginRole("a", "1.2"), loginRole("a_1", "2")],
      [loginRole("a", "1.2"), loginRole("a", "1_2")],
      [loginRole("a", "1.2-rc"), loginRole("a", "1.2_rc")],
      [loginRole("a", "v1.2"), loginRole("a_v1", "2")],
      [loginRole("A", "1"), loginRole("a", "1")],
      [loginRole("a", "V1"), loginRole("a", "v1")],
    ]) {
      assert.notEqual(one, other);
    }
  });

  it("never coincide with an owner's or the operator's", () => {
    fc.assert(
      fc.property(databases, releases, databases, (database, release, other) => {
        const login = loginRole(database, release);
        assert.notEqual(login, ownerRole(other));
        assert.notEqual(login, operatorRole);
        assert.notEqual(ownerRole(other), operatorRole);
      }),
      { numRuns: 2000 },
    );
    assert.notEqual(loginRole("a", "owner"), ownerRole("a"));
    assert.notEqual(loginRole("rollback", "operator"), operatorRole);
  });

  it("of owners differ by database", () => {
    fc.assert(
      fc.property(databases, databases, (one, other) => one === other || ownerRole(one) !== ownerRole(other)),
      {
        numRuns: 2000,
      },
    );
  });
});
