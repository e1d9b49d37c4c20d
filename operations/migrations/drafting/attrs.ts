/** Typed look-ups in an object's attributes as the server gave them. */
export function own(attrs: Readonly<Record<string, unknown>>): {
  /** A text or a number as text; undefined: there is none. */
  readonly text: (name: string) => string | undefined;
  readonly flag: (name: string) => boolean;
  readonly list: (name: string) => string[];
} {
  return {
    text: (name) => {
      const value = attrs[name];
      return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
    },
    flag: (name) => attrs[name] === true,
    list: (name) => {
      const value = attrs[name];
      return Array.isArray(value) ? value.map(String) : [];
    },
  };
}
