/**
 * What breaks an invariant: one violation, written past the code that would have refused it, with
 * triggers and foreign keys out of the way.
 */
import type { Fates } from './scenarios.ts';

export interface Planting {
  readonly invariant: string;
  readonly what: string;
  /** Invariants that cannot hold either when this one does not. */
  readonly also?: readonly string[];
  /** What the report must name. */
  readonly subject: (fates: Fates) => string;
  readonly statements: (fates: Fates) => readonly string[];
}

/** The order of that fate. */
export const of = (fate: keyof Fates) => (fates: Fates) => fates[fate];
