/** What can be done to a stack: everything at once, or one harm alone with a promise of its own. */
import { TARGETS } from './killer.ts';
import type { Rhythm, Target } from './killer.ts';
import { LINE_FAULTS } from './line-faults.ts';
import { PROVIDER_FAULTS } from './provider-faults.ts';

export const SCENARIO_NAMES = ['everything', 'postgres', 'temporal', 'app'] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

export interface Scenario {
  readonly targets: readonly Target[];
  readonly rhythm: Rhythm;
  /** Lines and providers fail too. */
  readonly faults: readonly string[];
  /** The API is ready again so soon after a kill; null: only reported. */
  readonly apiReadyWithinMs: number | null;
  /** Each shopper is answered at the first try. */
  readonly everyFirstTry: boolean;
  /** A webhook receiver fails so often; null: there is none. */
  readonly receiverFails: number | null;
  readonly defaults: { readonly orders: number; readonly rate: number; readonly kills: number };
}

const HARMLESS = {
  faults: [],
  apiReadyWithinMs: null,
  everyFirstTry: false,
  receiverFails: null,
} as const;

export const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  /** Two cores that serve eight processes spend seconds on starting one: the blows leave them time. */
  everything: {
    ...HARMLESS,
    targets: TARGETS,
    rhythm: { pauseMs: { least: 2_000, most: 8_000 }, strikesEarly: 0.2, keptDownMs: 0 },
    faults: [...LINE_FAULTS, ...PROVIDER_FAULTS],
    defaults: { orders: 1_000, rate: 2, kills: 10 },
  },
  postgres: {
    ...HARMLESS,
    targets: ['postgres'],
    rhythm: { pauseMs: { least: 500, most: 6_000 }, strikesEarly: 0.2, keptDownMs: 0 },
    apiReadyWithinMs: 5_000,
    defaults: { orders: 400, rate: 3, kills: 20 },
  },
  /** Two minutes without Temporal: every order is accepted, and none is late for long. */
  temporal: {
    ...HARMLESS,
    targets: ['temporal'],
    rhythm: { pauseMs: { least: 5_000, most: 5_000 }, strikesEarly: 0, keptDownMs: 120_000 },
    everyFirstTry: true,
    defaults: { orders: 500, rate: 4, kills: 1 },
  },
  /** The app dies every five seconds while a receiver of webhooks fails: nothing is missing there. */
  app: {
    ...HARMLESS,
    targets: ['app'],
    rhythm: { pauseMs: { least: 5_000, most: 5_000 }, strikesEarly: 1, keptDownMs: 0 },
    receiverFails: 0.2,
    defaults: { orders: 500, rate: 2, kills: 40 },
  },
};
