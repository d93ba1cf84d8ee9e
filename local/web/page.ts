/**
 * The frame of every page of the demo shop and the sandbox: navigation, the banner of armed faults, and
 * the content security policy. Everything from outside is shown as text, never as markup.
 */
import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { faultInWords, type ArmedFault } from './fault-words.ts';

export type Html = ReturnType<typeof html>;

export interface Link {
  readonly href: string;
  readonly text: string;
}

/** What the pages have in common. */
export interface Site {
  readonly name: string;
  readonly links: readonly Link[];
  readonly armed: () => readonly ArmedFault[];
}

export interface PageContent {
  readonly title: string;
  readonly main: Html;
  readonly status?: ContentfulStatusCode;
  /** An origin that a form of the page leads to, beside its own. */
  readonly formTarget?: string;
}

/** Styles, scripts and pictures of this origin only; nothing inline. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ');

/** No style sheet of its own; a page with an error replaces nothing. */
const HTMX_CONFIG = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  noSwap: [204, 304, '4xx', '5xx'],
});

/** Responds with a page. */
export function respondPage(
  c: Context,
  site: Site,
  { title, main, status = 200, formTarget = '' }: PageContent,
): Response | Promise<Response> {
  c.header('Content-Security-Policy', `${POLICY} ${formTarget}`.trimEnd());
  c.header('Referrer-Policy', 'same-origin');
  c.header('X-Content-Type-Options', 'nosniff');
  c.header('Cache-Control', 'no-store');
  const path = new URL(c.req.url).pathname;
  return c.html(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <meta name="htmx-config" content="${HTMX_CONFIG}" />
          <title>${title} · ${site.name}</title>
          <link rel="icon" href="/assets/favicon.svg" />
          <link rel="stylesheet" href="/assets/pico.css" />
          <link rel="stylesheet" href="/assets/pages.css" />
          <script src="/assets/htmx.js" defer></script>
          <script src="/assets/pages.js" defer></script>
        </head>
        <body>
          <a class="skip" href="#main">Skip to the content</a>
          <header class="container">
            <nav aria-label="Pages">
              <a class="brand" href="${site.links[0]?.href ?? '/'}">
                <img src="/assets/favicon.svg" alt="" width="28" height="28" /> ${site.name}
              </a>
              <ul>
                ${site.links.map((link) => navigationItem(link, path))}
              </ul>
            </nav>
          </header>
          <div class="container" id="banner" aria-live="polite">
            ${faultBanner(site.armed(), path)}
          </div>
          <main class="container" id="main">${main}</main>
        </body>
      </html>`,
    status,
  );
}

/** Responds that there is no such page. */
export function respondMissing(c: Context, site: Site): Response | Promise<Response> {
  const main = html`<h1>Not found</h1>
    <p>There is nothing here. <a href="${site.links[0]?.href ?? '/'}">Back to the start</a></p>`;
  return respondPage(c, site, { title: 'Not found', main, status: 404 });
}

function navigationItem({ href, text }: Link, path: string): Html {
  return html`<li><a href="${href}" ${href === path && html`aria-current="page"`}>${text}</a></li>`;
}

/** `2026-11-30 07:53:40.145 UTC` */
export function timeInWords(iso: string): string {
  return iso.replace('T', ' ').replace(/Z$/, ' UTC');
}

/** Names the faults that still fire, with a button; empty when there is none. `back`: the page to return to. */
export function faultBanner(armed: readonly ArmedFault[], back: string): Html {
  if (armed.length === 0) return html``;
  return html`<section class="banner" aria-label="Trouble">
    <div>
      <strong>Trouble is on.</strong>
      ${armed.map((fault) => html`<span class="fault">${faultInWords(fault)}</span> `)}
    </div>
    <form method="post" action="/faults">
      <input type="hidden" name="back" value="${back}" />
      <button class="small">Switch all off</button>
    </form>
  </section>`;
}
