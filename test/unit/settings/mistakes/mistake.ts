/** One thing wrong with the whole contract: where, what stands there instead (undefined: nothing), and what the user is told. */
export interface Mistake {
  readonly at: readonly (string | number)[];
  readonly value: unknown;
  /** The one line of the refusal begins with this … */
  readonly key: string;
  /** … and goes on with this. */
  readonly says: string;
  /** Replaces other parts first, where the mistake only shows in another surrounding. */
  readonly given?: readonly (readonly [path: readonly (string | number)[], value: unknown])[];
}
