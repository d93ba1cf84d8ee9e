/**
 * What breaks an invariant: one violation, written past the code that would have refused it, with
 * triggers and foreign keys out of the way. `:shipped` is the id of the order of that scenario.
 */
import { SCENARIOS, type ScenarioOrders } from './scenarios.ts';

export interface Planting {
  readonly invariant: string;
  readonly what: string;
  /** Invariants that cannot hold either when this one does not. */
  readonly also?: readonly string[];
  /** What the report must name, unless it is the first order in the statements. */
  readonly subject?: string;
  readonly statements: readonly string[];
}

const SCENARIO = new RegExp(`:(${SCENARIOS.join('|')})\\b`, 'g');

/** The statements for these orders, and what the report must name. */
export function plantedIn(
  orders: ScenarioOrders,
  { statements, subject = statements.join().match(SCENARIO)?.[0] ?? '' }: Planting,
) {
  const filled = (text: string): string =>
    SCENARIOS.reduce(
      (left, name) => left.replaceAll(new RegExp(`:${name}\\b`, 'g'), orders[name]),
      text,
    );
  return { statements: statements.map(filled), subject: filled(subject) };
}
