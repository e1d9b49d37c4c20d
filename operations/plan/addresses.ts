import { createHash } from "node:crypto";

/**
 * Fixed addresses on the stack's own network. nginx resolves upstream names only at start and reload, and one missing
 * name stops it, so upstreams are addresses, and an address belongs to a container's name for as long as that exists.
 */

/** Addresses from .2 to .31 of a subnet are kept for the stack's own parts; services get those above. */
const reserved = 32;

/** IPv4 text to an unsigned 32-bit number. */
export function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Unsigned 32-bit number to IPv4 text. */
export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

interface Range {
  readonly first: number;
  readonly size: number;
}

/** First address and size of a subnet such as `10.90.16.0/20`. */
export function rangeOf(subnet: string): Range {
  const [address = "", bits = "32"] = subnet.split("/");
  const size = 2 ** (32 - Number(bits));
  return { first: Math.floor(toNumber(address) / size) * size, size };
}

/** Whether two subnets share an address. */
export function overlap(a: string, b: string): boolean {
  const [one, other] = [rangeOf(a), rangeOf(b)];
  return one.first < other.first + other.size && other.first < one.first + one.size;
}

/**
 * A /20 of 10.64.0.0/10 for a stack, derived from its name so that it is the same at each run, and the next free one
 * when that overlaps a subnet of `taken`. Returns undefined when all 1024 are taken.
 */
export function chooseSubnet(stack: string, taken: readonly string[]): string | undefined {
  const start = hashNumber(stack) % 1024;
  const base = toNumber("10.64.0.0");
  for (let n = 0; n < 1024; n += 1) {
    const subnet = `${toAddress(base + ((start + n) % 1024) * 4096)}/20`;
    if (!taken.some((other) => overlap(subnet, other))) return subnet;
  }
  return undefined;
}

/**
 * An address for every name: the one in `kept`, else one derived from the name, moved up past those already given.
 * Deterministic: the same names, kept addresses and subnet give the same answer in any order of `names`.
 */
export function allocate(
  names: readonly string[],
  subnet: string,
  kept: ReadonlyMap<string, string>,
): Map<string, string> {
  const { first, size } = rangeOf(subnet);
  const places = size - reserved - 1;
  const taken = new Set(kept.values());
  const given = new Map<string, string>();
  for (const name of [...names].sort()) {
    const known = kept.get(name);
    if (known !== undefined) {
      given.set(name, known);
      continue;
    }
    let place = hashNumber(name) % places;
    while (taken.has(toAddress(first + reserved + place))) place = (place + 1) % places;
    const address = toAddress(first + reserved + place);
    taken.add(address);
    given.set(name, address);
  }
  return given;
}

/** The stack's own parts in the order of their addresses; caches come after them. */
const parts = ["door", "router", "postgres"] as const;
export type FixedPart = (typeof parts)[number] | { readonly cache: number };

/**
 * The fixed address of one of the stack's own parts. All of them have one: an address that Docker gives out by itself
 * could be the one that a container still to come is fixed to. `cache` counts from 0 to 25.
 */
export function reservedAddress(subnet: string, part: FixedPart): string {
  const n = typeof part === "string" ? parts.indexOf(part) : parts.length + part.cache;
  return toAddress(rangeOf(subnet).first + 2 + n);
}

function hashNumber(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0);
}
