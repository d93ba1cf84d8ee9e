import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  CHECKOUT_STEP,
  CHECKOUT_STEPS,
  checkoutStep,
  COMPENSATIONS,
  compensationsAt,
  completedSteps,
  decisionsAbout,
  isDecisionAbout,
  lastStage,
  retryBudgetMs,
  STAGE_BUDGETS_MS,
  stageAfterSkip,
  stepOfActivity,
} from '../../domain/checkout-steps.ts';
import { ORDER_STATUSES, TRANSITIONS } from '../../domain/order.ts';
import type { Activities } from '../../workflows/activities.ts';

const STEP_NAMES: readonly string[] = [...CHECKOUT_STEPS.map(({ name }) => name), ...COMPENSATIONS];
const DAY_MS = 24 * 3_600_000;
/** Files whose SQL names steps. */
const SQL_FILES = ['prisma/invariants.sql', 'prisma/operations/reconciliation-records.ts'];
const STEPS_IN_SQL = /step'? (?:=|IN) (\('\w+'(?:, '\w+')*\)|'\w+')/g;

describe('the table of checkout steps', () => {
  test('every step starts at the stage where the step before it ends', () => {
    const stages = CHECKOUT_STEPS.map(({ stage }) => stage);
    for (const [index, { before }] of stages.entries()) {
      expect(before).toBe(index === 0 ? 'placed' : stages[index - 1]?.after);
    }
    expect(new Set(stages.map(({ before }) => before)).size).toBe(CHECKOUT_STEPS.length);
  });

  test('every stage of a step is a status that an order may enter from the stage before', () => {
    for (const { stage } of CHECKOUT_STEPS) {
      expect(ORDER_STATUSES).toContain(stage.before);
      if (stage.after !== stage.before) expect(TRANSITIONS[stage.before]).toContain(stage.after);
      expect(TRANSITIONS[stage.before]).toContain('cancelling');
    }
  });

  test('every activity of a step exists and belongs to that step alone', () => {
    const activities: readonly (keyof Activities)[] = CHECKOUT_STEPS.flatMap((step) => [
      ...step.activities,
      step.compensation.name,
    ]);
    expect(new Set(activities).size).toBe(activities.length);
    for (const { name, activities: own, compensation } of CHECKOUT_STEPS) {
      for (const activity of own) expect(stepOfActivity(activity)).toBe(name);
      expect(stepOfActivity(compensation.name)).toBe(compensation.name);
    }
    expect(stepOfActivity('recordShipped')).toBeUndefined();
  });

  test.each(SQL_FILES)('every step named in the SQL of %s is in the table', (file) => {
    const named = [...readFileSync(file, 'utf8').matchAll(STEPS_IN_SQL)].flatMap(
      ([, list = '']) => list.match(/\w+/g) ?? [],
    );
    expect(named.length).toBeGreaterThan(2);
    for (const step of named) expect(STEP_NAMES).toContain(step);
  });
});

describe('what is derived from the table', () => {
  test('an order restarted at a stage has completed the steps before it and none else', () => {
    expect(completedSteps('placed')).toEqual([]);
    expect(completedSteps('reserved')).toEqual(['reserveStock']);
    expect(completedSteps('paid')).toEqual(['reserveStock', 'capturePayment']);
    expect(completedSteps('cancelling')).toEqual([]);
  });

  test('the pending compensations of a stage are those of its begun steps, newest first', () => {
    expect(compensationsAt('placed')).toEqual(['releaseStock', 'voidOrRefundPayment']);
    expect(compensationsAt('reserved')).toEqual(['voidOrRefundPayment', 'releaseStock']);
    expect(compensationsAt('paid')).toEqual([
      'cancelShipment',
      'voidOrRefundPayment',
      'releaseStock',
    ]);
  });

  test('the last stage is the one after the last done step', () => {
    const stageAfter = (...done: readonly string[]) => lastStage(({ name }) => done.includes(name));
    expect(stageAfter()).toBe('placed');
    expect(stageAfter('reserveStock')).toBe('reserved');
    expect(stageAfter('reserveStock', 'capturePayment')).toBe('paid');
  });

  test('an order may be at a stage as long as the steps that run there are retried', () => {
    expect(STAGE_BUDGETS_MS).toEqual({
      placed: retryBudgetMs('reserveStock'),
      reserved: retryBudgetMs('capturePayment'),
      paid: retryBudgetMs('shipOrder'),
      cancelling: 3 * DAY_MS,
    });
    expect(checkoutStep('capturePayment').retryBudgetMs).toBe(5 * DAY_MS);
  });

  test('a skipped forward step moves the order on, a skipped compensation does not', () => {
    expect(stageAfterSkip('capturePayment')).toBe('paid');
    expect(stageAfterSkip('shipOrder')).toBe('paid');
    for (const name of COMPENSATIONS) expect(stageAfterSkip(name)).toBeNull();
  });

  test('a compensation can be retried or skipped, never cancelled', () => {
    for (const name of COMPENSATIONS) {
      expect(decisionsAbout(name).map(({ action }) => action)).toEqual(['retry', 'skip']);
      expect(isDecisionAbout(name, 'cancel')).toBe(false);
    }
  });

  test('the whole checkout can be restarted or cancelled, an unknown step allows nothing', () => {
    expect(decisionsAbout(CHECKOUT_STEP).map(({ action }) => action)).toEqual(['retry', 'cancel']);
    expect(decisionsAbout('reserveStock').map(({ action }) => action)).toEqual(['retry', 'cancel']);
    expect(decisionsAbout('unknown')).toEqual([]);
  });
});
