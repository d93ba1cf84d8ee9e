/** The human-readable documentation: API reference, list of problems, index page. Works offline. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { ApiEnv } from '../middleware/request.ts';
import { PROBLEMS, ProblemError } from '../http/problems.ts';
import { indexPage, type IndexPage } from './index-page.ts';

const STYLE = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
/** The only files served from packages, with their places and types. */
const FILES = new Map<string, readonly [url: () => string, type: string]>(
  Object.entries({
    'swagger-ui.css': [() => import.meta.resolve('swagger-ui-dist/swagger-ui.css'), STYLE],
    'swagger-ui-bundle.js': [
      () => import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'),
      SCRIPT,
    ],
    'favicon-32x32.png': [
      () => import.meta.resolve('swagger-ui-dist/favicon-32x32.png'),
      'image/png',
    ],
    'pico.css': [() => import.meta.resolve('@picocss/pico/css/pico.min.css'), STYLE],
  }),
);
const START_SCRIPT = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#reference', deepLinking: true });`;
/** Of the start page and the list of problems, on top of Pico CSS. */
const PAGE_STYLE = `
:root { --pico-font-size: 100%; --pico-border-radius: 0.375rem; --ground: #f6f7f9; --card: #fff; --quiet: #505868; }
@media (prefers-color-scheme: dark) { :root { --ground: #11141b; --card: #181c25; --quiet: #b6bdca; } }
html { background: var(--ground); }
.container { max-width: 72rem; }
.lead { font-size: 1.15rem; color: var(--quiet); }
.cards { display: grid; gap: 0 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); }
.cards.wide { grid-template-columns: 1fr; }
.cards.wide ul { columns: 24rem; }
.cards.wide li { break-inside: avoid; }
.cards article { margin: 0 0 1rem; background: var(--card); }
.cards h2 { font-size: 1.25rem; margin-bottom: 0.5rem; }
.cards ul { padding: 0; }
.cards li { list-style: none; margin-bottom: 0.6rem; }
.cards small { display: block; color: var(--quiet); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
`;
const CACHED = 'public, max-age=3600';
/** Nothing is loaded from other hosts. */
const POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'";
/** Swagger UI sets inline styles from its script. */
const REFERENCE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

export function docsRoutes(start: IndexPage) {
  const policy = { 'content-security-policy': POLICY };
  return new Hono<ApiEnv>()
    .get('/', (c) => c.html(page('Holdfast', indexPage(start)), 200, policy))
    .get('/docs', (c) =>
      c.html(referencePage(), 200, { 'content-security-policy': REFERENCE_POLICY }),
    )
    .get('/docs/errors', (c) => c.html(problemsPage(), 200, policy))
    .get('/docs/start.js', (c) => c.body(START_SCRIPT, 200, { 'content-type': SCRIPT }))
    .get('/docs/pages.css', (c) => c.body(PAGE_STYLE, 200, { 'content-type': STYLE }))
    .get('/docs/assets/:file', async (c) => {
      const asset = FILES.get(c.req.param('file'));
      if (asset === undefined) {
        throw new ProblemError({ code: 'not_found', detail: 'The file does not exist.' });
      }
      const [url, type] = asset;
      const bytes = await readFile(fileURLToPath(url()));
      return c.body(new Uint8Array(bytes), 200, { 'content-type': type, 'cache-control': CACHED });
    });
}

function page(title: string, body: ReturnType<typeof html>) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="/docs/assets/favicon-32x32.png" />
        <link rel="stylesheet" href="/docs/assets/pico.css" />
        <link rel="stylesheet" href="/docs/pages.css" />
      </head>
      <body>
        <main class="container">${body}</main>
      </body>
    </html>`;
}

function problemsPage() {
  const rows = Object.entries(PROBLEMS).map(
    ([code, [status, title]]) =>
      html`<tr id="${code}">
        <td><code>${code}</code></td>
        <td>${status}</td>
        <td>${title}</td>
      </tr>`,
  );
  return page(
    'Problems',
    html`<h1>Problems</h1>
      <p>
        Every error is a problem (RFC 9457). With <code>retryable: true</code> the same request may
        succeed later; retry it with the same Idempotency-Key.
      </p>
      <div class="scroll" role="region" aria-label="Problems" tabindex="0">
        <table>
          <thead>
            <tr>
              <th scope="col">code</th>
              <th scope="col">status</th>
              <th scope="col">meaning</th>
            </tr>
          </thead>
          <tbody>
            ${rows}
          </tbody>
        </table>
      </div>`,
  );
}

function referencePage() {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Holdfast API</title>
        <link rel="icon" href="/docs/assets/favicon-32x32.png" />
        <link rel="stylesheet" href="/docs/assets/swagger-ui.css" />
      </head>
      <body>
        <div id="reference"></div>
        <script src="/docs/assets/swagger-ui-bundle.js"></script>
        <script src="/docs/start.js"></script>
      </body>
    </html>`;
}
