import protobuf from "google-protobuf/google/protobuf/struct_pb.js";
import { unknown, type Element, type Properties, type Value } from "./model.ts";

export type Scalar = string | number | boolean | null;

/** What came over the wire: plain values and the names of those that hold a secret. */
export interface Received {
  readonly values: Properties;
  readonly secrets: ReadonlySet<string>;
  /** The bridge's own key `__defaults`; undefined: absent. */
  readonly defaults: readonly string[] | undefined;
}

/** Marks of Pulumi's wire format, from sdk/go/common/resource (sig.SecretSig) and plugin/rpc.go (Unknown*Value). */
const signature = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const unknownMarks = new Set([
  unknownText,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** Takes properties from the wire. Keys that begin with `__` are the machinery's. Objects in values become JSON text. */
export function receive(struct: protobuf.Struct | undefined): Received {
  const secrets = new Set<string>();
  const values: Record<string, Value> = {};
  let defaults: readonly string[] | undefined;
  for (const [name, raw] of Object.entries(struct?.toJavaScript() ?? {})) {
    if (name === "__defaults" && Array.isArray(raw))
      defaults = raw.filter((one): one is string => typeof one === "string");
    if (name.startsWith("__")) continue;
    values[name] = fromWire(raw, () => secrets.add(name));
  }
  return { values, secrets, defaults };
}

/** Puts properties on the wire, the named ones as secrets. `defaults` undefined leaves `__defaults` out. */
export function send(
  values: Properties,
  secrets: ReadonlySet<string>,
  defaults?: readonly string[],
): protobuf.Struct {
  const fields: Record<string, protobuf.JavaScriptValue> = {};
  for (const [name, value] of Object.entries(values)) {
    const plain = toWire(value);
    fields[name] =
      secrets.has(name) && value !== null ? { [signature]: secretSignature, value: plain } : plain;
  }
  if (defaults !== undefined) fields["__defaults"] = [...defaults];
  return protobuf.Struct.fromJavaScript(fields);
}

function fromWire(raw: unknown, onSecret: () => void): Value {
  if (raw === null || raw === undefined) return null;
  if (typeof raw === "string") return unknownMarks.has(raw) ? unknown : raw;
  if (typeof raw === "number" || typeof raw === "boolean") return raw;
  if (Array.isArray(raw)) return raw.map((one: unknown) => element(fromWire(one, onSecret)));
  if (typeof raw !== "object") throw new TypeError(`a ${typeof raw} cannot come over the wire`);
  if (signature in raw && raw[signature] === secretSignature) {
    onSecret();
    return fromWire("value" in raw ? raw.value : null, onSecret);
  }
  return JSON.stringify(raw);
}

function element(value: Value): Element {
  return value === unknown || typeof value === "string" ? value : JSON.stringify(value);
}

function toWire(value: Value): protobuf.JavaScriptValue {
  if (value === unknown) return unknownText;
  if (value === null || typeof value !== "object") return value;
  return value.map((one) => (one === unknown ? unknownText : one));
}
