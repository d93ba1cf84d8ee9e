/** The inbox: newest mail first, a page at a time, each mail as text and, where it has one, as HTML. */
import { html } from 'hono/html';
import { timeInWords, type Html } from '../../web/page.ts';
import type { Mail } from '../mail/inbox.ts';

export interface InboxPage {
  /** The mails of the filter, oldest first. */
  readonly mails: readonly Mail[];
  readonly to: string;
  readonly orderId: string;
  /** From 1. */
  readonly page: number;
}

const PAGE_SIZE = 50;

export function inboxPage(inbox: InboxPage): Html {
  const { mails, to, orderId, page } = inbox;
  const start = (page - 1) * PAGE_SIZE;
  const shown = mails.toReversed().slice(start, start + PAGE_SIZE);
  const pages = Math.max(1, Math.ceil(mails.length / PAGE_SIZE));
  return html`<header class="title">
      <h1>Inbox (${mails.length})</h1>
      <p>Every mail that was sent, newest first. None of them leaves this machine.</p>
    </header>
    <form method="get" action="/inbox" class="filter" aria-label="Filter">
      <label
        >To <input name="to" value="${to}" maxlength="254" placeholder="ada@example.com"
      /></label>
      <label
        >Order <input name="order" value="${orderId}" maxlength="64" placeholder="ord_…"
      /></label>
      <button>Filter</button>
    </form>
    ${shown.length === 0 && html`<p>No mail${page === 1 ? ' yet' : ' on this page'}.</p>`}
    ${shown.map((mail, index) => mailPart(mail, index === 0))} ${pages > 1 && pager(inbox, pages)}`;
}

function mailPart(mail: Mail, isOpen: boolean): Html {
  const { subject, to, at, message_id: id, text, html: markup } = mail;
  return html`<details class="mail" ${isOpen && html`open`}>
    <summary><strong>${subject}</strong> <small>to ${to}, ${timeInWords(at)}</small></summary>
    <div class="${markup === undefined ? '' : 'columns even'}">
      <pre tabindex="0" aria-label="${subject}, as text">${text}</pre>
      ${
        markup !== undefined &&
        html`<iframe
          sandbox=""
          loading="lazy"
          src="/inbox/html/${encodeURIComponent(id)}"
          title="${subject}, as HTML"
        ></iframe>`
      }
    </div>
    <p><small>Message-ID ${id}</small></p>
  </details>`;
}

function pager({ to, orderId, page }: InboxPage, pages: number): Html {
  const href = (number: number): string =>
    `/inbox?${new URLSearchParams({ to, order: orderId, page: String(number) }).toString()}`;
  return html`<nav aria-label="Pages of the inbox" class="pager">
    ${page > 1 && html`<a href="${href(page - 1)}" rel="prev">Newer</a>`}
    <span>Page ${page} of ${pages}</span>
    ${page < pages && html`<a href="${href(page + 1)}" rel="next">Older</a>`}
  </nav>`;
}
