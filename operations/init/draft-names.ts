/** Names of containers that a service's or a cache's would collide with. */
const taken = ["postgres", "door", "router"];

/** A name as services and caches of a stack may have it. */
export function partOf(name: string): string {
  const valid = name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 40);
  return valid === "" || taken.includes(valid) ? `s-${valid}`.slice(0, 40) : valid;
}
