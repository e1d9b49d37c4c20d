import assert from "node:assert/strict";
import { sameButForSpace } from "../../../operations/migrations/function-text.ts";

const written = (text: string, language = "plpgsql"): string =>
  `owner app CREATE OR REPLACE FUNCTION public.f()\n RETURNS trigger\n LANGUAGE ${language}\nAS $function$${text}$function$\n`;
const same = (a: string, b: string): boolean => sameButForSpace(written(a), written(b));

describe("functions that differ in white space", () => {
  it("are the same, comments at the end of a line included", () => {
    assert.ok(same("\nBEGIN\n  NEW.x := 1;\nEND\n", "\n      BEGIN\n\n        NEW.x  := 1;\n  END"));
    assert.ok(same("BEGIN -- why\n x; END", "BEGIN   -- why  \n\n   x;\nEND"));
    assert.ok(same("BEGIN x := 'a  b'; END", "BEGIN\n x := 'a  b';\nEND"));
  });

  it("are not, where the space is in a string, a quoted name or ends a comment", () => {
    assert.ok(!same("BEGIN x := 'a b'; END", "BEGIN x := 'a  b'; END"));
    assert.ok(!same("BEGIN x := 'it''s  b'; END", "BEGIN x := 'it''s b'; END"));
    assert.ok(!same('BEGIN "a b" := 1; END', 'BEGIN "a  b" := 1; END'));
    assert.ok(!same("BEGIN EXECUTE $q$ a  b $q$; END", "BEGIN EXECUTE $q$ a b $q$; END"));
    assert.ok(!same("BEGIN -- x\n y; END", "BEGIN -- x y; END"));
    assert.ok(!same("BEGIN x:=1; END", "BEGIN x :=1; END"));
  });

  it("are not, where a backslash, another language or another head makes it uncertain", () => {
    assert.ok(!same("BEGIN x := E'a\\'  b'; END", "BEGIN x := E'a\\' b'; END"));
    assert.ok(!sameButForSpace(written("if x:\n  y", "plpython3u"), written("if x:\n y", "plpython3u")));
    assert.ok(!sameButForSpace(written("a"), written("a").replace("trigger", "text")));
  });
});
