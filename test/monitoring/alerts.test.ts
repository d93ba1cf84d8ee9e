import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { read } from '../support/documents.ts';
import {
  BUILD_TIMEOUT_MS,
  findPromtool,
  RULES,
  testRules,
  type Promtool,
  type RuleTest,
} from '../support/promtool.ts';
import { makeDir } from '../support/run-files.ts';

let promtool: Promtool | null = null;
beforeAll(async () => {
  promtool = await findPromtool();
}, BUILD_TIMEOUT_MS);

const JOB = 'job="holdfast"';
const ORDERS = `${JOB},method="POST",route="/v1/orders"`;
/** What every healthy process shows: no alert fires on it alone. */
const HEALTHY = {
  [`up{${JOB},instance="a"}`]: '1x2000',
  [`holdfast_maintenance_age_seconds{${JOB},name="sweep"}`]: '30x2000',
};

/** Each alert once: the samples of its cause, a time at which it is still pending, and one at which it fires. */
const CASES: readonly Case[] = [
  {
    alert: 'OrderNeedsPerson',
    series: { [`holdfast_orders_needing_attention{${JOB},step="capturePayment"}`]: '0x4 1x60' },
    quiet: ['4m', '5m'],
    firing: '7m',
  },
  {
    alert: 'OrderRetryingLong',
    series: { [`holdfast_oldest_retry_seconds{${JOB}}`]: '600+60x60' },
    quiet: ['5m'],
    firing: '8m',
  },
  {
    alert: 'OrderNotExpiring',
    series: { [`holdfast_longest_overdue_seconds{${JOB}}`]: '3300+60x60' },
    quiet: ['5m'],
    firing: '8m',
  },
  {
    alert: 'ShippingSlow',
    series: buckets('holdfast_placed_to_shipped_seconds', JOB, { 3600: 0, 14400: 10, '+Inf': 10 }),
    quiet: ['10m'],
    firing: '20m',
  },
  {
    alert: 'OrdersNotMoving',
    series: { [`holdfast_oldest_order_seconds{${JOB},status="paid"}`]: '86100+60x60' },
    quiet: ['5m', '19m'],
    firing: '22m',
  },
  {
    alert: 'DiscrepancyOpen',
    series: { [`holdfast_discrepancies_open{${JOB},kind="amount"}`]: '1x60' },
    quiet: ['10m'],
    firing: '16m',
  },
  {
    alert: 'DisputeResponseDue',
    series: { [`holdfast_dispute_response_due_seconds{${JOB}}`]: '173400-60x60' },
    quiet: ['5m', '20m'],
    firing: '26m',
  },
  {
    alert: 'DeadLettersGrowing',
    series: { [`holdfast_dead_letters_open{${JOB},source="delivery"}`]: '2x19 3x60' },
    quiet: ['15m', '40m'],
    firing: '21m',
  },
  {
    alert: 'DeadLettersOpen',
    interval: '4m',
    series: { [`holdfast_dead_letters_open{${JOB},source="delivery"}`]: '2x400' },
    quiet: ['23h'],
    firing: '25h',
  },
  {
    alert: 'SubscriptionLagGrowing',
    series: { [`holdfast_subscription_lag_seconds{${JOB},subscription="audit"}`]: '0x4 30+60x60' },
    quiet: ['5m', '9m'],
    firing: '12m',
  },
  {
    alert: 'SubscriptionPaused',
    series: {
      [`holdfast_subscription_paused{${JOB},subscription="audit"}`]: '1x90',
      [`holdfast_subscription_lag_seconds{${JOB},subscription="audit"}`]: '0+60x90',
    },
    quiet: ['30m', '59m'],
    firing: '61m',
  },
  {
    alert: 'EventLogHeld',
    series: { [`holdfast_log_held_seconds{${JOB}}`]: '0x4 60+60x60' },
    quiet: ['5m'],
    firing: '7m',
  },
  {
    alert: 'SweepMissing',
    series: { [`holdfast_maintenance_age_seconds{${JOB},name="sweep"}`]: '0+60x60' },
    quiet: ['5m', '9m'],
    firing: '12m',
  },
  {
    alert: 'ReconciliationMissing',
    series: { [`holdfast_maintenance_age_seconds{${JOB},name="reconcile"}`]: '10000+60x60' },
    quiet: ['13m', '20m'],
    firing: '30m',
  },
  {
    alert: 'ItemsFailing',
    series: { [`holdfast_item_failures_total{${JOB},loop="expire_overdue"}`]: '0+1x60' },
    quiet: ['10m'],
    firing: '18m',
  },
  {
    // It probes once a minute, and is half open then.
    alert: 'BreakerOpen',
    series: { [`holdfast_breaker_state{${JOB},breaker="payments.settle"}`]: '0 0 2 1 2 1 2 1 2' },
    quiet: ['1m', '3m'],
    firing: '6m',
  },
  {
    alert: 'AnswersNotUnderstood',
    series: { [`holdfast_answers_not_understood_total{${JOB},call="warehouse.ship"}`]: '0x4 1x90' },
    quiet: ['4m', '80m'],
    firing: '6m',
  },
  {
    alert: 'MessagesNotUnderstood',
    series: { [`holdfast_messages_not_understood_total{${JOB},source="warehouse"}`]: '0x4 1x90' },
    quiet: ['4m', '80m'],
    firing: '6m',
  },
  {
    alert: 'OrdersRefused',
    series: {
      [`http_request_duration_seconds_count{${ORDERS},status="201"}`]: '0+90x60',
      [`http_request_duration_seconds_count{${ORDERS},status="503"}`]: '0+10x60',
    },
    quiet: ['5m'],
    firing: '7m',
  },
  {
    alert: 'OrderAnswersSlow',
    series: answers({ 0.3: 95, 0.5: 100, '+Inf': 100 }),
    quiet: ['14m'],
    firing: '17m',
  },
  {
    alert: 'OrderAnswersVerySlow',
    series: answers({ 0.3: 90, 1: 95, 2.5: 100, '+Inf': 100 }),
    quiet: ['5m'],
    firing: '7m',
  },
  {
    alert: 'RequestsRejected',
    series: {
      [`holdfast_requests_rejected_total{${JOB},class="checkout",reason="queue_full"}`]: '0+60x60',
    },
    quiet: ['5m'],
    firing: '7m',
  },
  {
    alert: 'DatabasePoolFull',
    series: { [`holdfast_database_connections_waiting{${JOB},pool="requests"}`]: '0x4 3x60' },
    quiet: ['6m', '8m'],
    firing: '11m',
  },
  {
    alert: 'ProcessDown',
    series: { [`up{${JOB},instance="b"}`]: '1x4 0x60' },
    quiet: ['4m', '5m'],
    firing: '7m',
  },
  {
    alert: 'EventLoopBlocked',
    series: { [`nodejs_eventloop_lag_p99_seconds{${JOB},instance="a"}`]: '0.4x60' },
    quiet: ['9m'],
    firing: '11m',
  },
];

/** Looks like trouble, and is none. */
const QUIET: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['nothing but a healthy process', {}],
  ['one sharp answer', answers({ 0.3: 1000, '+Inf': 1000 })],
  [
    'a lag that is long and does not grow',
    { [`holdfast_subscription_lag_seconds{${JOB},subscription="audit"}`]: '120x90' },
  ],
  [
    'clients that give up',
    {
      [`holdfast_requests_rejected_total{${JOB},class="other",reason="client_closed"}`]: '0+60x90',
    },
  ],
  ['a breaker that only probes', { [`holdfast_breaker_state{${JOB},breaker="mail"}`]: '1x90' }],
];

test('the alert rules are valid for promtool', async (context) => {
  if (promtool === null) return context.skip('there is no promtool');
  expect(await promtool('check', 'rules', '--lint=all', RULES)).toContain('SUCCESS');
});

test('every query of the dashboard is valid for promtool', async (context) => {
  if (promtool === null) return context.skip('there is no promtool');
  const queries = [...read('docs/monitoring/dashboard.json').matchAll(/"expr": (".*")/g)];
  expect(queries.length).toBeGreaterThan(30);
  const rules = queries.map(([, text = ''], at) => ({
    record: `panel:${at}`,
    expr: z.string().parse(JSON.parse(text)).replaceAll('$__rate_interval', '5m'),
  }));
  const file = join(makeDir('dashboard'), 'rules.json');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  expect(await promtool('check', 'rules', file)).toContain(`SUCCESS: ${queries.length} rules`);
});

test('each alert fires on its cause alone, and not before its time', async (context) => {
  if (promtool === null) return context.skip('there is no promtool');
  const names = [...read('docs/monitoring/alerts.yml').matchAll(/- alert: (\w+)/g)].map(
    ([, name = '']) => name,
  );
  expect(CASES.map(({ alert }) => alert).toSorted()).toEqual(names.toSorted());
  expect(await testRules(promtool, CASES.map(ruleTest))).toContain('SUCCESS');
});

test('no alert fires where nothing needs a person', async (context) => {
  if (promtool === null) return context.skip('there is no promtool');
  const tests = QUIET.map(([name, series]) => ({
    name,
    interval: '1m',
    series: { ...HEALTHY, ...series },
    firing: { '10m': [], '70m': [] },
  }));
  expect(await testRules(promtool, tests)).toContain('SUCCESS');
});

test('the absence of every process, and of every sweep, is noticed', async (context) => {
  if (promtool === null) return context.skip('there is no promtool');
  const common = { interval: '1m', firing: { '10m': [] } };
  const tests: readonly RuleTest[] = [
    { ...common, name: 'no process', series: {}, firing: { '2m': ['ProcessDown'] } },
    {
      ...common,
      name: 'no sweep',
      series: { [`up{${JOB},instance="a"}`]: '1x60' },
      firing: { '4m': [], '6m': ['SweepMissing'] },
    },
  ];
  expect(await testRules(promtool, tests)).toContain('SUCCESS');
});

test('an alert that does not fire fails its test', async (context) => {
  if (promtool === null) return context.skip('there is no promtool');
  const wrong = {
    name: 'wrong',
    interval: '1m',
    series: HEALTHY,
    firing: { '5m': ['ProcessDown'] },
  };
  await expect(testRules(promtool, [wrong])).rejects.toThrow('ProcessDown');
});

interface Case {
  readonly alert: string;
  /** Between two samples; a minute by default. */
  readonly interval?: string;
  readonly series: Readonly<Record<string, string>>;
  readonly quiet: readonly string[];
  readonly firing: string;
}

function ruleTest({ alert, interval = '1m', series, quiet, firing }: Case): RuleTest {
  const times = [...quiet.map((time) => [time, []] as const), [firing, [alert]] as const];
  const all = { ...HEALTHY, ...series };
  return { name: alert, interval, series: all, firing: Object.fromEntries(times) };
}

/** Cumulative counts per minute by the upper bound. */
function buckets(
  name: string,
  labels: string,
  perMinute: Readonly<Record<string, number>>,
): Readonly<Record<string, string>> {
  const series = Object.entries(perMinute).map(([le, count]) => {
    return [`${name}_bucket{${labels},le="${le}"}`, `0+${count}x90`] as const;
  });
  return Object.fromEntries(series);
}

function answers(perMinute: Readonly<Record<string, number>>): Readonly<Record<string, string>> {
  return buckets('http_request_duration_seconds', `${ORDERS},status="201"`, perMinute);
}
