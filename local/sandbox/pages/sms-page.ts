/** The text messages: newest first, a page at a time. */
import { html } from 'hono/html';
import { timeInWords, type Html } from '../../web/page.ts';
import type { Text } from '../sms/texts.ts';
import { segmentsOf } from '../sms/segments.ts';

export interface SmsPage {
  /** The messages of the filter, oldest first. */
  readonly texts: readonly Text[];
  readonly to: string;
  /** From 1. */
  readonly page: number;
}

const PAGE_SIZE = 50;

export function smsPage({ texts, to, page }: SmsPage): Html {
  const start = (page - 1) * PAGE_SIZE;
  const shown = texts.toReversed().slice(start, start + PAGE_SIZE);
  const pages = Math.max(1, Math.ceil(texts.length / PAGE_SIZE));
  const href = (number: number): string =>
    `/sms?${new URLSearchParams({ to, page: String(number) }).toString()}`;
  return html`<header class="title">
      <h1>Text messages (${texts.length})</h1>
      <p>Every SMS that was sent, newest first. None of them leaves this machine.</p>
    </header>
    <form method="get" action="/sms" class="filter" aria-label="Filter">
      <label>To <input name="to" value="${to}" maxlength="16" placeholder="+491701234567" /></label>
      <button>Filter</button>
    </form>
    ${shown.length === 0 && html`<p>No text message${page === 1 ? ' yet' : ' on this page'}.</p>`}
    ${shown.map(textPart)}
    ${
      pages > 1 &&
      html`<nav aria-label="Pages of the text messages" class="pager">
        ${page > 1 && html`<a href="${href(page - 1)}" rel="prev">Newer</a>`}
        <span>Page ${page} of ${pages}</span>
        ${page < pages && html`<a href="${href(page + 1)}" rel="next">Older</a>`}
      </nav>`
    }`;
}

function textPart({ to, from, messaging_service_sid: service, at, body, sid }: Text): Html {
  const segments = segmentsOf(body);
  return html`<article class="mail">
    <p><strong>${to}</strong> <small>from ${from ?? service}, ${timeInWords(at)}</small></p>
    <pre tabindex="0" aria-label="To ${to}">${body}</pre>
    <p><small>${sid}, ${segments} ${segments === 1 ? 'segment' : 'segments'}</small></p>
  </article>`;
}
