/**
 * What breaks an invariant: one violation, written past the code that would have refused it, with
 * triggers and foreign keys out of the way.
 */
import type { ScenarioOrders } from './scenarios.ts';

export interface Planting {
  readonly invariant: string;
  readonly what: string;
  /** Invariants that cannot hold either when this one does not. */
  readonly also?: readonly string[];
  /** What the report must name. */
  readonly subject: (orders: ScenarioOrders) => string;
  readonly statements: (orders: ScenarioOrders) => readonly string[];
}

/** The order of that scenario. */
export const of = (scenario: keyof ScenarioOrders) => (orders: ScenarioOrders) => orders[scenario];
