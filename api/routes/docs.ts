/** The human-readable documentation: API reference, list of problems, index page. Works offline. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { ApiEnv } from '../middleware/request.ts';
import { PROBLEMS, ProblemError } from '../http/problems.ts';

/** The only files served from the package, and their types. */
const ASSETS = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);
const START_SCRIPT = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#reference', deepLinking: true });`;
const CACHED = 'public, max-age=3600';
/** Swagger UI sets inline styles from its script. Nothing is loaded from other hosts. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

export function docsRoutes() {
  return new Hono<ApiEnv>()
    .get('/', (c) => c.html(indexPage(), 200, { 'content-security-policy': PAGE_POLICY }))
    .get('/docs', (c) => c.html(referencePage(), 200, { 'content-security-policy': PAGE_POLICY }))
    .get('/docs/errors', (c) =>
      c.html(problemsPage(), 200, { 'content-security-policy': PAGE_POLICY }),
    )
    .get('/docs/start.js', (c) =>
      c.body(START_SCRIPT, 200, { 'content-type': 'text/javascript; charset=utf-8' }),
    )
    .get('/docs/assets/:file', async (c) => {
      const file = c.req.param('file');
      const type = ASSETS.get(file);
      if (type === undefined) {
        throw new ProblemError({ code: 'not_found', detail: 'The file does not exist.' });
      }
      const bytes = await readFile(join(assetFolder(), file));
      return c.body(new Uint8Array(bytes), 200, { 'content-type': type, 'cache-control': CACHED });
    });
}

function assetFolder(): string {
  return dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));
}

function page(title: string, body: ReturnType<typeof html>) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="/docs/assets/favicon-32x32.png" />
        <style>
          body {
            font:
              16px/1.5 system-ui,
              sans-serif;
            max-width: 60rem;
            margin: 2rem auto;
            padding: 0 1rem;
          }
          th,
          td {
            text-align: left;
            padding: 0.25rem 1rem 0.25rem 0;
            vertical-align: top;
          }
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html>`;
}

function indexPage() {
  return page(
    'Holdfast',
    html`<h1>Holdfast</h1>
      <p>A durable checkout service.</p>
      <ul>
        <li><a href="/docs">API reference</a> (<a href="/openapi.json">OpenAPI 3.1</a>)</li>
        <li><a href="/docs/errors">Problems (error codes)</a></li>
        <li><a href="/readyz">Readiness</a> and <a href="/metrics">metrics</a></li>
      </ul>`,
  );
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
      </table>`,
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
