/** The pieces that pages are made of. Each escapes what it is given. */
import { randomUUID } from 'node:crypto';
import { html } from 'hono/html';
import { formatMoney } from '../../domain/money.ts';
import { isProblemCode } from '../openapi/problem-responses.ts';
import { apiPath, type ApiProblem, type ApiResult } from './call-api.ts';
import type { Html, Notice, View } from './page.ts';

/** How a state looks. The word is always shown too: color is never the only sign. */
export type Tone = 'good' | 'bad' | 'busy' | 'quiet';

const STATUS_TONES: Readonly<Record<string, Tone>> = {
  shipped: 'good',
  delivered: 'good',
  succeeded: 'good',
  needs_attention: 'bad',
  failed: 'bad',
  open: 'bad',
  cancelling: 'busy',
  requested: 'busy',
  requires_action: 'busy',
  pending: 'busy',
  placed: 'busy',
  reserved: 'busy',
  paid: 'busy',
};

export function badge(text: string, tone: Tone = STATUS_TONES[text] ?? 'quiet'): Html {
  return html`<span class="badge ${tone}">${words(text)}</span>`;
}

/** `needs_attention` as people write it. */
export function words(text: string): string {
  return text.replaceAll('_', ' ');
}

export function capitalized(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}

export function money(amountMinor: number, currency: string): string {
  return formatMoney({ amountMinor, currency });
}

/** How long ago or until then, with the exact time as a tooltip. */
export function time(iso: string, now: number = Date.now()): Html {
  const ms = Date.parse(iso) - now;
  const isNow = Math.abs(ms) < 1_000;
  const text = isNow ? 'just now' : ms > 0 ? `in ${duration(ms)}` : `${duration(-ms)} ago`;
  return html`<time datetime="${iso}" title="${iso}">${text}</time>`;
}

export function isPast(iso: string): boolean {
  return Date.parse(iso) < Date.now();
}

/** How often something happened. */
export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** In the largest unit that fits: 850 ms, 12 s, 3 min, 5 h, 2 d. */
export function duration(ms: number): string {
  const positive = Math.max(0, ms);
  const unit = UNITS.find(([, size]) => positive >= size);
  if (unit !== undefined) return `${Math.floor(positive / unit[1])} ${unit[0]}`;
  return positive >= 1_000 ? `${Math.floor(positive / 1_000)} s` : `${Math.round(positive)} ms`;
}

/** To the millisecond in the first minute. */
export function elapsed(ms: number): string {
  return ms < 60_000 ? `${(ms / 1_000).toFixed(3)} s` : duration(ms);
}

export function orderLink(id: string, text: string = id): Html {
  return html`<a href="/console/orders/${id}">${text}</a>`;
}

export function section(title: string, content: Html): Html {
  return html`<section aria-label="${title}">
    <h2>${title}</h2>
    ${content}
  </section>`;
}

/** An entry of a `dl` with the class `facts`. */
export function fact(name: string, value: Html | string): Html {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

export function table(of: {
  /** For screen readers. */
  readonly caption: string;
  readonly head: readonly string[];
  /** Each cell of each row. */
  readonly rows: readonly (readonly (Html | string | number)[])[];
  readonly empty: string;
}): Html {
  if (of.rows.length === 0) return html`<p class="muted">${of.empty}</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${of.caption}">
    <table>
      <caption class="hidden">
        ${of.caption}
      </caption>
      <thead>
        <tr>
          ${of.head.map((each) => html`<th scope="col">${each}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${of.rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell, at) => html`<td data-head="${of.head[at] ?? ''}"><div>${cell}</div></td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** The value, or the problem in its own words. */
export function show<T>(result: ApiResult<T>, render: (value: T) => Html): Html {
  return result.ok ? render(result.value) : problemBox(result.problem);
}

/** A page that has nothing but a problem to show. */
export function problemView(title: string, problem: ApiProblem): View {
  const code = isProblemCode(problem.code) ? problem.code : 'internal_error';
  return { title, heading: html`${title}`, main: problemBox(problem), problem: code };
}

export function problemBox(problem: ApiProblem): Html {
  return html`<div class="box bad">${problemText(problem)}</div>`;
}

function problemText(problem: ApiProblem): Html {
  const errors = (problem.errors ?? []).map(
    (each) => html`<li>${each.pointer ?? each.parameter ?? each.header ?? ''} ${each.detail}</li>`,
  );
  return html`<strong>${problem.title}</strong> ${problem.detail}
    ${
      errors.length === 0
        ? ''
        : html`<ul>
            ${errors}
          </ul>`
    } <small class="muted">${problem.code}, request ${problem.request_id}</small>`;
}

/** The notice of an action: what was done, or the problem in its own words. */
export function outcome<T>(result: ApiResult<T>, done: (value: T) => Html | string): Notice {
  return result.ok
    ? { tone: 'good', text: done(result.value) }
    : { tone: 'bad', text: problemText(result.problem) };
}

/**
 * A part of the page that is loaded on its own, and again every few seconds. With `content` it is
 * there from the start. `query`: the parameters of the page that the part needs.
 */
export function lazyPart(
  name: string,
  everySeconds: number | null = null,
  of: { readonly content?: Html; readonly query?: Parameters<typeof apiPath>[1] } = {},
): Html {
  const first = of.content === undefined ? ['load'] : [];
  const again = everySeconds === null ? [] : [`every ${everySeconds}s`];
  return html`<div
    id="part-${name}"
    hx-get="${apiPath('', { part: name, ...of.query })}"
    hx-trigger="${[...first, ...again].join(', ')}"
    hx-swap="innerMorph"
  >
    ${of.content ?? html`<p class="muted" data-loading>Loading …</p>`}
  </div>`;
}

interface FormButton {
  readonly label: string;
  /** Sent as `choice`, where a form has several buttons. */
  readonly choice?: string;
  /** What it does, in words. */
  readonly effect?: string;
  readonly tone?: 'secondary' | 'danger';
}

/** A form of one action of the page (`ConsolePage.actions`). It shows the page again, with the outcome. */
export function actionForm(of: {
  readonly action: string;
  /** Of the only button; `buttons` instead, where there are several. */
  readonly label?: string;
  readonly tone?: 'secondary' | 'danger';
  readonly buttons?: readonly FormButton[];
  /** Inputs, and hidden fields. */
  readonly fields?: Html | string;
  /** Asked before it is sent. */
  readonly confirm?: string;
  /** Why this role may not: the buttons are then disabled. */
  readonly refused?: string | null;
}): Html {
  const { action, fields = '', confirm, refused = null } = of;
  const ask = confirm === undefined ? '' : html`hx-confirm="${confirm}"`;
  const disabled = refused === null ? '' : html`disabled title="${refused}"`;
  const { label = '', tone = '' } = of;
  const button = (each: FormButton) =>
    html`<button class="${each.tone ?? ''}" name="choice" value="${each.choice ?? ''}" ${disabled}>
      ${each.label}
    </button>`;
  const buttons =
    of.buttons?.map(
      (each) => html`<p class="choice">${button(each)} <small>${each.effect}</small></p>`,
    ) ?? html`<button class="${tone}" ${disabled}>${label}</button>`;
  return html`<form
    method="post"
    class="action"
    hx-post=""
    hx-target="body"
    hx-swap="innerHTML"
    hx-disable="find button"
    ${ask}
  >
    <input type="hidden" name="action" value="${action}" />
    <input type="hidden" name="key" value="${randomUUID()}" hx-morph-skip />
    ${fields} ${buttons}
  </form>`;
}

export function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}" />`;
}
