/** The frame of every page: navigation, search, who is signed in, the outcome of an action. */
import { html } from 'hono/html';
import { EVENT_TYPES } from '../../domain/order.ts';
import type { ApiKey } from '../../prisma/access/api-keys.ts';
import { assetHref } from './assets.ts';
import type { Html, Notice } from './page.ts';

/** In the order of the navigation. */
const NAVIGATION = [
  ['', 'Home'],
  ['/attention', 'Attention'],
  ['/orders', 'Orders'],
  ['/events', 'Events'],
  ['/stock', 'Stock'],
  ['/jobs', 'Jobs'],
  ['/health', 'Health'],
] as const;

/** No `eval`, no style sheet of its own, an open `<details>` stays open when a part is refreshed. */
const HTMX_CONFIG = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  morphIgnore: ['data-htmx-powered', 'open'],
  defaultTimeout: 20_000,
});

interface Frame {
  readonly title: string;
  /** The path of the page below /console. */
  readonly path: string;
  /** Null on the sign-in page. */
  readonly session: ApiKey | null;
  readonly notice?: Notice | null;
  /** What was searched for. */
  readonly search?: string | undefined;
  readonly heading?: Html;
  readonly main: Html;
  readonly live?: string | null;
}

export function layout(page: Frame): Html {
  const { title, path, session, notice = null, search = '', heading = title, live = null } = page;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content="${HTMX_CONFIG}" />
        <title>${title} · Holdfast</title>
        <link rel="icon" href="${assetHref('icon.svg')}" />
        <link rel="stylesheet" href="${assetHref('pico.css')}" />
        <link rel="stylesheet" href="${assetHref('console.css')}" />
        <script src="${assetHref('htmx.js')}" defer></script>
        <script src="${assetHref('console.js')}" defer></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        ${session === null ? '' : header(path, session, search)}
        ${notice === null ? '' : noticeBox(notice)}
        <main
          id="main"
          class="container"
          tabindex="-1"
          ${live === null ? '' : refreshed(path, live)}
        >
          <h1>${heading}</h1>
          ${page.main}
        </main>
      </body>
    </html>`;
}

function header(path: string, session: ApiKey, search: string): Html {
  return html`<header class="container top">
    <nav aria-label="Console">
      <strong class="brand">Holdfast</strong>
      ${NAVIGATION.map(([to, label]) => link({ to, label, isCurrent: isWithin(path, to) }))}
    </nav>
    <form role="search" action="/console/orders" method="get">
      <input
        type="search"
        name="q"
        value="${search}"
        aria-label="Search orders"
        placeholder="Number, e-mail, name, phone, tracking"
        maxlength="100"
      />
    </form>
    <form method="post" action="/console/sign-out" class="who">
      <span title="API key ${session.id}">${session.name} (${session.role})</span>
      <button class="plain">Sign out</button>
    </form>
  </header>`;
}

function link(of: { readonly to: string; readonly label: string; readonly isCurrent: boolean }) {
  const current = of.isCurrent ? html`aria-current="page"` : '';
  return html`<a href="/console${of.to}" ${current}>${of.label}</a>`;
}

function isWithin(path: string, to: string): boolean {
  return to === '' ? path === '' : path === to || path.startsWith(`${to}/`);
}

/**
 * `console.js` sends `changed` at each event of the stream. A refresh that fails leaves the page as it
 * is, and the next one comes.
 */
function refreshed(path: string, stream: string): Html {
  return html`data-live="${stream}" data-types="${EVENT_TYPES.join(' ')}" hx-get="/console${path}"
  hx-trigger="changed, every 10s" hx-select="#main" hx-swap="outerMorph" hx-status:4xx="swap:none"
  hx-status:5xx="swap:none"`;
}

/** `console.js` moves the focus to it, so that a screen reader says it. */
function noticeBox({ tone, text }: Notice): Html {
  return html`<div class="container">
    <div id="notice" class="box ${tone}" role="status" tabindex="-1">${text}</div>
  </div>`;
}
