/** The alert rules, the dashboard and the runbook agree with each other and with the code. */
import { collectDefaultMetrics, type Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { registerEventMetrics } from '../api/operations/event-metrics.ts';
import { createMetrics, registerConnections } from '../api/operations/metrics.ts';
import { closeDatabase, createDatabase } from '../prisma/client/client.ts';
import { read } from './support/documents.ts';
import { metricsIn, unknownMetrics } from './support/metric-names.ts';

const RULES = 'docs/monitoring/alerts.yml';
const DASHBOARD = 'docs/monitoring/dashboard.json';

test('the alert rules and the dashboard name only metrics that are registered', async () => {
  const types = await registeredTypes();
  for (const file of [RULES, DASHBOARD]) {
    const named = metricsIn(read(file));
    expect(named.length).toBeGreaterThan(15);
    expect(unknownMetrics(named, types), file).toEqual([]);
  }
});

test('each metric of the documentation that an operator acts on is in a rule or on the dashboard', () => {
  const shown = metricsIn(`${read(RULES)}${read(DASHBOARD)}`).map((name) =>
    name.replace(/_(?:bucket|count|sum)$/, ''),
  );
  const documented = metricsIn(read('docs/operations.md')).filter((name) =>
    name.startsWith('holdfast_'),
  );
  expect(documented.length).toBeGreaterThan(15);
  expect(documented.filter((name) => !shown.includes(name))).toEqual([]);
});

test('each alert says what happened, what to do first, how urgent it is, and has a section in the runbook', () => {
  const alerts = read(RULES)
    .split(/^ +- alert: /m)
    .slice(1);
  const sections = [...read('docs/runbook.md').matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  const anchors = alerts.map((text) => {
    const [, name = ''] = /^(\w+)/.exec(text) ?? [];
    const anchor = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
    expect(text, name).toContain(`runbook: docs/runbook.md#${anchor}\n`);
    expect(text, name).toMatch(/severity: (?:page|ticket) /);
    expect(text, name).toMatch(/ summary: \S.*\n +action: \S/);
    return anchor;
  });
  expect(anchors.length).toBeGreaterThan(15);
  expect(sections).toEqual(expect.arrayContaining(anchors));
});

test('the dashboard has the form that Grafana imports, and its panels do not overlap', () => {
  const { panels, templating } = dashboard.parse(JSON.parse(read(DASHBOARD)));
  expect(templating.list).toMatchObject([{ name: 'datasource', type: 'datasource' }]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  for (const { type, title, targets } of panels) {
    expect(targets.length > 0, title).toBe(type !== 'row');
    expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
  }
});

const source = z.object({ type: z.literal('prometheus'), uid: z.literal('${datasource}') });
/** As far as Grafana needs it: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ */
const dashboard = z.object({
  title: z.string(),
  uid: z.string(),
  schemaVersion: z.number().min(36),
  templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string() })) }),
  panels: z.array(
    z.object({
      id: z.int().positive(),
      type: z.enum(['row', 'stat', 'timeseries', 'state-timeline']),
      title: z.string().min(1),
      datasource: source.optional(),
      gridPos: z.object({
        x: z.int().min(0),
        y: z.int().min(0),
        w: z.int().min(1).max(24),
        h: z.int().min(1),
      }),
      targets: z
        .array(z.object({ refId: z.string(), expr: z.string().min(1), datasource: source }))
        .default([]),
    }),
  ),
});

async function registeredTypes(): Promise<ReadonlyMap<string, string>> {
  const { registry } = createMetrics({ breakers: () => [], limiters: {} });
  const db = createDatabase({ url: 'postgresql://127.0.0.1:9/none', poolSize: 3 });
  registerConnections(registry, {});
  registerEventMetrics(registry, { db, streams: {} });
  collectDefaultMetrics({ register: registry });
  const types = typesIn(registry);
  await closeDatabase(db);
  return types;
}

function typesIn(registry: Registry): ReadonlyMap<string, string> {
  const metrics = registry.getMetricsAsArray();
  return new Map(metrics.map(({ name, type }) => [name, String(type)]));
}
