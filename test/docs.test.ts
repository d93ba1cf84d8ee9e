/** Numbers and names in the documents are those of the code. A number that no test can take from there is left out. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { CONCURRENCY_LIMITS } from '../api/limits/request-class.ts';
import { registerEventMetrics } from '../api/operations/event-metrics.ts';
import { createMetrics, registerConnections } from '../api/operations/metrics.ts';
import { CONFIG_KEYS, readAppConfig, retentionOf } from '../config.ts';
import {
  COMPENSATIONS,
  CHECKOUT_STEPS,
  decisionsAbout,
  retryBudgetMs,
} from '../domain/checkout-steps.ts';
import {
  DEFAULT_RETRY_DELAYS_MS,
  STARTER_RETRY_DELAYS_MS,
  WEBHOOK_RETRY_DELAYS_MS,
} from '../domain/delivery.ts';
import { RETRY_CLASS } from '../domain/failures.ts';
import { TRANSITIONS } from '../domain/order.ts';
import { WORKFLOW_FILTERS } from '../domain/pages.ts';
import { DEFAULT_RETENTION } from '../domain/retention.ts';
import type { CallLimits } from '../gateways/resilience/guard.ts';
import { createLimits } from '../gateways/resilience/limits.ts';
import { PAYMENT_WEBHOOK_EVENTS } from '../gateways/stripe/events.ts';
import { MALLOC, NODE_FLAGS } from '../local/stack/commands.ts';
import { PROJECT } from '../local/stack/home.ts';
import { closeDatabase, createDatabase } from '../prisma/client/client.ts';
import { STOP_WITHIN_MS } from '../run.ts';
import { withTables } from '../tools/bench/model.ts';
import { isAsWritten } from '../tools/bench/report.ts';
import { PERMISSIONS } from '../tools/doctor/permissions.ts';
import { SEARCH_ATTRIBUTES } from '../workflows/checkout/contract.ts';
import { REQUIRED_CONFIG } from './support/app-config.ts';
import { lines, read, rows, rowsOf, unquoted } from './support/documents.ts';
import { DOCUMENTS } from './support/markdown.ts';

const TIMEOUTS = 'docs/patterns/timeouts-and-retries.md';
/** They bound what runs beside requests and orders, such as a connection that is opened anew. */
const INTERNAL_DEADLINES = [
  'CHECK_DEADLINE_MS in temporal/connection.ts',
  'CONNECT_TIMEOUT_MS in prisma/client/listen.ts',
  'IDLE_TIMEOUT_MS in prisma/client/client.ts',
  'QUERY_TIMEOUT_MS in prisma/operations/invariants.ts',
  'RECONCILE_HEARTBEAT_TIMEOUT_MS in workflows/operations/contract.ts',
  'REGISTER_DEADLINE_MS in temporal/connection.ts',
  'SWEEP_HEARTBEAT_TIMEOUT_MS in workflows/operations/contract.ts',
  'TIMEOUT_MS in prisma/operations/invariants.ts',
];
const UNITS_MS = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  day: 86_400_000,
  days: 86_400_000,
} as const;
const DURATION = /\b(\d+) ?(ms|s|min|h|days?|hours?|minutes?|seconds?)\b/;

describe('the length of a document', () => {
  test.each([
    ['ARCHITECTURE.md', 150],
    ['README.md', 200],
  ])('%s has at most %i lines', (file, most) => {
    expect(read(file).split('\n').length - 1).toBeLessThanOrEqual(most);
  });
});

describe('numbers', () => {
  const withoutNumbers = [
    'ARCHITECTURE.md',
    'docs/saga.md',
    'docs/failures.md',
    'docs/synchronous-or-asynchronous.md',
    ...DOCUMENTS.filter((document) => document.startsWith('docs/patterns/')),
  ];
  test.each(withoutNumbers)(
    '%s has no duration outside of a table that is compared with the code',
    (file) => {
      const prose = lines(file).filter((line) => !line.startsWith('|'));
      expect(prose.filter((line) => DURATION.test(line))).toEqual([]);
    },
  );

  test.each(['docs/failures.md', TIMEOUTS])(
    'each limit in %s has the value of the constant it names',
    (document) => {
      const named = constantsIn(document);
      expect(named.length).toBeGreaterThan(18);
      const wrong = named.filter(({ value, name, file }) => {
        const constant = existsSync(join(PROJECT, file)) ? constantIn(file, name) : Number.NaN;
        return inUnitOf(name, value) !== constant;
      });
      expect(wrong).toEqual([]);
    },
  );

  test('every constant of a deadline on the way of a request has a row in the table of deadlines', () => {
    const documented = constantsIn(TIMEOUTS).map(({ name, file }) => `${name} in ${file}`);
    const folders = ['api', 'gateways', 'prisma', 'temporal', 'workflows'];
    const constants = folders
      .flatMap(sourcesIn)
      .flatMap((file) =>
        [
          ...read(file).matchAll(/^(?:export )?const ([A-Z_]*(?:DEADLINE|TIMEOUT|LEASE)_MS)\b/gm),
        ].map(([, name = '']) => `${name} in ${file}`),
      );
    expect(constants.length).toBeGreaterThan(14);
    const missing = constants.filter((each) => !documented.includes(each));
    expect(missing.toSorted()).toEqual(INTERNAL_DEADLINES);
  });

  test('each call of the decision page is bounded by a row of the table of deadlines', () => {
    const table = read(TIMEOUTS);
    const calls = rowsOf('docs/synchronous-or-asynchronous.md', 'call');
    expect(calls.length).toBeGreaterThan(10);
    const bounds = calls.flatMap(([, , bound = '']) => bound.match(/`[^`]+`/g) ?? []);
    expect(bounds.length).toBeGreaterThan(9);
    expect(bounds.filter((bound) => !table.includes(bound))).toEqual([]);
  });

  test('the table of provider calls lists every guard with its limits', () => {
    const guards = Object.entries(createLimits()).flatMap(([provider, calls]) =>
      Object.entries<CallLimits>({ ...calls }).map(([call, limits]) => {
        const { deadlineMs, maxConcurrent, maxQueued, breakAfter } = limits;
        return [`${provider}.${call}`, deadlineMs, maxConcurrent, maxQueued, breakAfter];
      }),
    );
    const documented = rowsOf(TIMEOUTS, 'calls').map(([name = '', deadline, ...rest]) => {
      return [unquoted(name), inMs(deadline), ...rest.map(Number)];
    });
    expect(documented).toEqual(guards);
  });

  test('the table of request classes in docs/failures.md lists each with its limits', () => {
    const classes = Object.entries(CONCURRENCY_LIMITS).map(([name, limits]) => {
      const { maxRunning, minRunning, maxQueued, maxStalled, maxWaitMs } = limits;
      return [name, maxRunning, minRunning, maxQueued, maxStalled, maxWaitMs];
    });
    const documented = rowsOf('docs/failures.md', 'class').map((row) => {
      const [name = '', ...limits] = row;
      return [unquoted(name), ...limits.slice(0, 4).map(Number), inMs(limits[4])];
    });
    expect(documented).toEqual(classes);
  });

  test('the table of deadlines quotes the retry policy and the retry budget of each step', () => {
    const code = read('workflows/steps.ts');
    for (const [name = '', value = ''] of rowsOf(TIMEOUTS, 'retry policy')) {
      expect(settingOf(code, unquoted(name))).toBe(value);
    }
    const budgets = new Map(
      rowsOf(TIMEOUTS, 'what').map(([, value = '', where = '']) => [unquoted(where), value]),
    );
    for (const name of [...CHECKOUT_STEPS.map((step) => step.name), ...COMPENSATIONS]) {
      expect(inMs(budgets.get(`step ${name}`)), name).toBe(retryBudgetMs(name));
    }
    const options = [...code.matchAll(/^const ([A-Z_]+): ActivityOptions = \{([\s\S]*?)^\};/gm)];
    const bounded = options.flatMap(([, name = '', body = '']) => {
      const [, budget] = /scheduleToCloseTimeout: '([^']*)'/.exec(body) ?? [];
      return budget === undefined ? [] : [[name, budget] as const];
    });
    expect(bounded.map(([name]) => name)).toEqual(['RECORD', 'REFUND', 'NOTIFY']);
    for (const [name, budget] of bounded) {
      expect(budgets.get(`options ${name} in workflows/steps.ts`), name).toBe(budget);
    }
  });

  test('docs/failures.md lists every failure type under its retry class', () => {
    const documented = rowsOf('docs/failures.md', 'retry class').flatMap(
      ([retryClass = '', types = '']) =>
        [...types.matchAll(/`(\w+)`/g)].map(([, type = '']) => [type, unquoted(retryClass)]),
    );
    expect(Object.fromEntries(documented)).toEqual(RETRY_CLASS);
  });

  test('the pages on publish/subscribe and webhooks quote the retry schedules', () => {
    const schedules = [
      DEFAULT_RETRY_DELAYS_MS,
      STARTER_RETRY_DELAYS_MS,
      WEBHOOK_RETRY_DELAYS_MS,
    ].map((delays) => [String(delays.length + 1), delays.map(shortest).join(', ')]);
    const documented = rowsOf('docs/patterns/publish-subscribe.md', 'subscriber').map(
      ([, ...rest]) => rest,
    );
    expect(documented).toEqual(schedules);
    expect(read('docs/webhooks.md')).toContain(WEBHOOK_RETRY_DELAYS_MS.map(shortest).join(', '));
  });
});

describe('tables', () => {
  test('docs/operations.md says how long a stop takes', () => {
    expect(read('docs/operations.md')).toContain(`at most ${STOP_WITHIN_MS / 1000} s`);
  });

  test('docs/operations.md lists the ready filters of the Web UI', () => {
    const documented = rowsOf('docs/operations.md', 'finds').map(([finds = '', query = '']) => {
      return { finds, query: unquoted(query) };
    });
    expect(documented).toEqual(WORKFLOW_FILTERS);
  });

  test('the tables of docs/scale.md are what the model gives for the documented cost', () => {
    expect(withTables(read('docs/scale.md')).replaceAll(/ +|-{3,}/g, '')).toBe(
      read('docs/scale.md').replaceAll(/ +|-{3,}/g, ''),
    );
  });

  test('docs/operations.md lists exactly the variables the code reads, with their defaults', () => {
    const documented = rowsOf('docs/operations.md', 'variable').map(([name = '', value = '']) => {
      return [unquoted(name.replace('\\*', '')), value] as const;
    });
    expect(documented.map(([name]) => name).toSorted()).toEqual(CONFIG_KEYS.toSorted());
    const defaults = Object.entries(readAppConfig(REQUIRED_CONFIG)).filter(
      ([key]) => !(key in REQUIRED_CONFIG),
    );
    for (const [key, value] of defaults) {
      expect(documented).toContainEqual([key, `\`${JSON.stringify(value).replaceAll('"', '')}\``]);
    }
  });

  test('docs/operations.md lists each retention period with its variable and default', () => {
    const documented = rowsOf('docs/operations.md', 'kept').map(([, period = '', name = '']) => {
      return [unquoted(name), period] as const;
    });
    const variables = CONFIG_KEYS.filter((key) => key.startsWith('RETAIN_'));
    expect(documented.map(([name]) => name)).toEqual(variables);
    const periods = Object.values(retentionOf(readAppConfig(REQUIRED_CONFIG)));
    expect(documented.map(([, period]) => period)).toEqual(
      periods.map((days) => (days === null ? 'always' : `${days} days`)),
    );
    expect(periods).toEqual(Object.values(DEFAULT_RETENTION));
  });

  test('docs/operations.md lists exactly the metrics that are registered', async () => {
    const { registry } = createMetrics({ breakers: () => [], limiters: {} });
    const db = createDatabase({ url: 'postgresql://127.0.0.1:9/none', poolSize: 3 });
    registerConnections(registry, {});
    registerEventMetrics(registry, { db, streams: {} });
    const documented = rowsOf('docs/operations.md', 'metric').map(([name = '']) => unquoted(name));
    expect(documented.toSorted()).toEqual(namesIn(registry).toSorted());
    await closeDatabase(db);
  });

  test('docs/stripe.md and the check of an account list every call of the gateway with its permission', () => {
    const code = sourcesIn('gateways/stripe').map(read).join('\n');
    const called = [...code.matchAll(/\bstripe\.((?:[a-z]\w*\.)+[a-z]\w*)\(/g)];
    const calls = new Set(called.map(([, name]) => name));
    const permissions = PERMISSIONS.flatMap(({ name, access, calls: needing }) =>
      needing.map((call) => [call, `${name}: ${access}`]),
    );
    expect(new Set(permissions.map(([call]) => call))).toEqual(calls);
    const documented = rowsOf('docs/stripe.md', 'call').map(([call = '', , permission]) => [
      unquoted(call),
      permission,
    ]);
    expect(new Set(documented.map(String))).toEqual(new Set(permissions.map(String)));
  });

  test('docs/stripe.md lists exactly the events of a webhook endpoint', () => {
    const events = rowsOf('docs/stripe.md', 'event').map(([name = '', means]) => [
      unquoted(name),
      means,
    ]);
    expect(events).toEqual(Object.entries(PAYMENT_WEBHOOK_EVENTS));
  });

  test('docs/operations.md names every search attribute', () => {
    const text = read('docs/operations.md').replaceAll(/\s+/g, ' ');
    for (const { name } of Object.values(SEARCH_ATTRIBUTES))
      expect(text).toContain(`\`${name}\` (`);
  });

  test('the diagram in docs/saga.md has exactly the transitions of an order', () => {
    const arrows = lines('docs/saga.md').flatMap((line) => {
      const [, from, to] = /^ *(\w+) --> (\w+)/.exec(line) ?? [];
      return from && to ? [`${from} ${to}`] : [];
    });
    const transitions = Object.entries(TRANSITIONS).flatMap(([from, targets]) =>
      targets.map((to) => `${from} ${to}`),
    );
    expect(arrows.toSorted()).toEqual(transitions.toSorted());
  });

  test('every decision has the parts of the template and is in the index under its title', () => {
    const index = read('docs/decisions/README.md');
    const files = readdirSync(join(PROJECT, 'docs/decisions')).filter((file) => /^\d/.test(file));
    for (const file of files) {
      const text = read(`docs/decisions/${file}`);
      const parts = text.split('\n').filter((line) => /^#+ |^Status: /.test(line));
      const [, title = ''] =
        new RegExp(`^# ${Number(file.slice(0, 4))}\\. (.*)$`, 'm').exec(text) ?? [];
      expect(
        parts.map((part) => part.replace(/^# .*|(?<=^Status).*/, '')),
        file,
      ).toEqual([
        '',
        'Status',
        '## Context',
        '## Decision',
        '## Consequences',
        '## How it is checked',
      ]);
      expect(index).toContain(`[${title}](${file})`);
    }
  });

  test('docs/saga.md lists the decisions that each step allows', () => {
    for (const [names = '', ...effects] of rowsOf('docs/saga.md', 'step', '`retry`')) {
      const [retry, skip, cancel] = effects.map((effect) => effect !== 'not allowed');
      const steps = [...names.replace(/\(.*\)/, '').matchAll(/`(\w+)`/g)];
      for (const [, step = ''] of steps) {
        const allowed = decisionsAbout(step).map(({ action }) => action);
        const documented = { retry, skip, cancel };
        expect(documented, step).toEqual({
          retry: allowed.includes('retry'),
          skip: allowed.includes('skip'),
          cancel: allowed.includes('cancel'),
        });
      }
    }
  });
});

describe('measurements', () => {
  test('the tables of docs/performance.md are as npm run bench:peers wrote them, and an edit is found', () => {
    const document = read('docs/performance.md');
    expect(isAsWritten(document)).toBe(true);
    expect(isAsWritten(document.replace('1.00 |', '1.01 |'))).toBe(false);
  });
});

describe('sample code', () => {
  test('docs/operations.md starts the app with the variable and the flags of Node that the stack uses', () => {
    const start = `node ${NODE_FLAGS.join(' ')} dist/main.js`;
    expect(read('docs/operations.md').replaceAll(/ *\\\n +/g, ' ')).toContain(
      `MALLOC_ARENA_MAX=${MALLOC.MALLOC_ARENA_MAX} ${start}`,
    );
  });
});

function inMs(duration = ''): number {
  const [count, unit] = duration.split(' ');
  const unitMs = Object.entries(UNITS_MS).find(([name]) => name === unit)?.[1] ?? Number.NaN;
  return Number(count) * unitMs;
}

/** A documented value in the unit that the constant's name ends with. */
function inUnitOf(name: string, value: string): number {
  if (/_MS$|Ms$/.test(name)) return inMs(value);
  return Number(value.replace(/ (s|h|days)$/, '').replaceAll(',', ''));
}

/** The number a source file gives to the name: a literal, or literals multiplied. */
function constantIn(file: string, name: string): number {
  const [, product = ''] =
    new RegExp(`\\b${name}(?:: number)?(?: =|:) ([\\d_]+(?: \\* [\\d_]+)*)[;,]`).exec(read(file)) ??
    [];
  if (product === '') return Number.NaN;
  const factors = product.split(' * ').map((factor) => Number(factor.replaceAll('_', '')));
  return factors.reduce((all, factor) => all * factor, 1);
}

/** A setting of the retry policy of provider steps, or the deadline of one attempt. */
function settingOf(code: string, name: string): string {
  const policy = /PROVIDER_RETRY = \{([^}]*)\}/.exec(code)?.[1] ?? '';
  const block =
    name === 'startToCloseTimeout' ? code.replace('ATTEMPT_TIMEOUT = ', `${name}: `) : policy;
  return new RegExp(`${name}: '?([\\w. ]+)`).exec(block)?.[1] ?? '';
}

/** The rows that name a constant and its file. */
function constantsIn(document: string) {
  return rows(document).flatMap(([, value = '', where = '']) => {
    const [, name, file] = /^`(\w+)` in `([\w./-]+)`$/.exec(where) ?? [];
    return name && file ? [{ value, name, file }] : [];
  });
}

/** The sources of a folder, without what is generated. */
function sourcesIn(folder: string): readonly string[] {
  return readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('generated'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`);
}

/** In the largest unit that divides it. */
function shortest(ms: number): string {
  const units = Object.entries(UNITS_MS)
    .filter(([unit]) => !unit.startsWith('day'))
    .toReversed();
  const [unit, unitMs] = units.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / unitMs} ${unit}`;
}

function namesIn(registry: Registry): string[] {
  return registry.getMetricsAsArray().map(({ name }) => name);
}
