import assert from "node:assert/strict";
import { placeOf } from "../../../operations/database/url.ts";

describe("a connection URL", () => {
  it("is read as libpq reads it, escapes included", () => {
    assert.deepEqual(
      placeOf("postgresql://me%40x:p%23w@db.example.com:6432/a%20b?sslmode=verify-ca", "URL"),
      {
        server: { host: "db.example.com", port: 6432, user: "me@x", password: "p#w", ssl: "verify-ca" },
        database: "a b",
      },
    );
  });

  it("is encrypted unless it stays on this machine", () => {
    const ssl = (url: string) => placeOf(url, "URL").server.ssl;
    assert.equal(ssl("postgres://me@db.example.com/app"), "require");
    assert.equal(ssl("postgres://me@[::1]/app"), "disable");
    assert.equal(ssl("postgres://me@localhost/app?host=/run/postgresql"), "disable");
  });

  it("that is missing or of no use is refused without showing it", () => {
    for (const text of [undefined, "", "app:secret", "mysql://me:secret@h/d", "postgres://u:secret@h"]) {
      assert.throws(
        () => placeOf(text, "MY_URL"),
        (error: Error) => /DATABASE_URL.*MY_URL/s.test(error.message) && !error.message.includes("secret"),
      );
    }
    assert.throws(() => placeOf("postgres://u:p%zz@h/d", "MY_URL"), /begin an escape/);
  });
});
