/** The charts of Home. Each is a table that `charts.js` draws, so that it can be read as well. */
import { html } from 'hono/html';
import type { TrendPoint } from '../operations/trends.ts';
import { analyticsListSchema } from '../schemas/analytics.ts';
import { assetHref } from './assets.ts';
import { apiPath, callApi } from './call-api.ts';
import type { ConsoleContext, Html } from './page.ts';
import { show } from './parts.ts';

const HOURS = 24;
const HOUR_MS = 3_600_000;

/** What the page needs once for the part `charts`. */
export function chartAssets(): Html {
  return html`<link rel="stylesheet" href="${assetHref('uplot.css')}" />
    <script src="${assetHref('uplot.js')}" defer></script>
    <script src="${assetHref('charts.js')}" defer></script>`;
}

/** The part `charts` of Home. */
export async function charts(c: ConsoleContext): Promise<Html> {
  const points = c.var.watched.trends.points();
  const trend = (title: string, series: Readonly<Record<string, keyof TrendPoint>>, unit: number) =>
    chart({
      title,
      series: Object.keys(series),
      rows: points.map((point) => ({
        at: point.at,
        values: Object.values(series).map((name) => inUnits(point[name], unit)),
      })),
    });
  return html`<div class="charts">
    ${await orders(c)}
    ${trend('Response to an order, ms', { p50: 'answerP50', p99: 'answerP99' }, 1_000)}
    ${trend('Placed to shipped, s', { p50: 'shippedP50', p95: 'shippedP95' }, 1)}
    ${trend('Lag of the slowest subscription, s', { lag: 'lag' }, 1)}
  </div>`;
}

function inUnits(seconds: TrendPoint[keyof TrendPoint], unit: number): number | null {
  return typeof seconds === 'number' ? Number((seconds * unit).toPrecision(3)) : null;
}

/** From the analytics of all processes; the others are of this process, for the last ten minutes. */
async function orders(c: ConsoleContext): Promise<Html> {
  const from = new Date(Date.now() - HOURS * HOUR_MS).toISOString();
  const path = apiPath('/v1/analytics', { from });
  const found = await callApi(c, { path, schema: analyticsListSchema });
  return show(found, ({ data }) => {
    // An hour without sales has no row.
    const hours = new Map(hoursSince(from).map((hour) => [hour, [0, 0, 0, 0]]));
    for (const each of data) {
      const counts = [each.orders, each.shipped, each.cancelled, each.declined];
      const sum = hours.get(each.starts_at) ?? [0, 0, 0, 0];
      hours.set(
        each.starts_at,
        counts.map((count, at) => count + (sum[at] ?? 0)),
      );
    }
    const rows = [...hours].map(([at, values]) => ({ at, values }));
    const series = ['placed', 'shipped', 'cancelled', 'declined'];
    return chart({ title: `Orders per hour, the last ${HOURS} h`, series, rows });
  });
}

function hoursSince(from: string): readonly string[] {
  const first = Math.ceil(Date.parse(from) / HOUR_MS);
  return Array.from({ length: HOURS }, (_, n) => new Date((first + n) * HOUR_MS).toISOString());
}

interface Chart {
  /** With the unit. */
  readonly title: string;
  readonly series: readonly string[];
  /** Oldest first. */
  readonly rows: readonly { readonly at: string; readonly values: readonly (number | null)[] }[];
}

function chart({ title, series, rows }: Chart): Html {
  const latest = rows.at(-1)?.values ?? [];
  const now = series.map((name, at) => `${name} ${latest[at] ?? '–'}`).join(', ');
  return html`<figure class="chart">
    <figcaption>
      ${title} <small>${rows.length === 0 ? 'no data yet' : `latest: ${now}`}</small>
    </figcaption>
    <div class="plot" aria-hidden="true" hx-morph-skip></div>
    <details>
      <summary>As a table</summary>
      <table>
        <caption class="hidden">
          ${title}
        </caption>
        <thead>
          <tr>
            <th scope="col">Time (UTC)</th>
            ${series.map((name) => html`<th scope="col">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.toReversed().map(
            ({ at, values }) =>
              html`<tr>
                <td><time datetime="${at}">${at.slice(11, 19)}</time></td>
                ${values.map((value) => html`<td>${value ?? ''}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </details>
  </figure>`;
}
