/** What can be done to a stack: everything at once, or one kind of fault with its own threshold. */
import { CONNECTION_FAULTS } from './connection-faults.ts';
import type { Thresholds } from './evaluate.ts';
import { TARGETS, type Rhythm, type Target } from './killer.ts';
import { PROVIDER_FAULTS } from './provider-faults.ts';

export const SCENARIO_NAMES = ['everything', 'postgres', 'temporal', 'app'] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

export interface Scenario extends Pick<
  Thresholds,
  'faults' | 'apiReadyWithinMs' | 'everyFirstAttempt'
> {
  readonly targets: readonly Target[];
  readonly rhythm: Rhythm;
  /** The share of requests that the webhook receiver fails; null: there is no receiver. */
  readonly receiverFailureShare: number | null;
  readonly defaults: { readonly orders: number; readonly rate: number; readonly kills: number };
}

const KILLS_ONLY = {
  faults: [],
  apiReadyWithinMs: null,
  everyFirstAttempt: false,
  receiverFailureShare: null,
} as const;

export const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  /** With eight processes on two cores a start takes seconds: the pauses leave time for it. */
  everything: {
    ...KILLS_ONLY,
    targets: TARGETS,
    rhythm: { pauseMs: { least: 2_000, most: 8_000 }, earlyShare: 0.2, downtimeMs: 0 },
    faults: [...CONNECTION_FAULTS, ...PROVIDER_FAULTS],
    defaults: { orders: 1_000, rate: 2, kills: 10 },
  },
  postgres: {
    ...KILLS_ONLY,
    targets: ['postgres'],
    rhythm: { pauseMs: { least: 500, most: 6_000 }, earlyShare: 0.2, downtimeMs: 0 },
    apiReadyWithinMs: 5_000,
    defaults: { orders: 400, rate: 3, kills: 20 },
  },
  /** Two minutes without Temporal: every order is accepted at the first attempt. */
  temporal: {
    ...KILLS_ONLY,
    targets: ['temporal'],
    rhythm: { pauseMs: { least: 5_000, most: 5_000 }, earlyShare: 0, downtimeMs: 120_000 },
    everyFirstAttempt: true,
    defaults: { orders: 500, rate: 4, kills: 1 },
  },
  /** The app dies every five seconds while a webhook receiver fails: it still gets every event. */
  app: {
    ...KILLS_ONLY,
    targets: ['app'],
    rhythm: { pauseMs: { least: 5_000, most: 5_000 }, earlyShare: 1, downtimeMs: 0 },
    receiverFailureShare: 0.2,
    defaults: { orders: 500, rate: 2, kills: 40 },
  },
};
