/** The style sheets and scripts of the pages, from this folder and from node_modules; never from elsewhere. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';

const STYLE = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

/** The only files that are served, with their place and type. */
const FILES = new Map([
  ['pico.css', { url: () => import.meta.resolve('@picocss/pico/css/pico.min.css'), type: STYLE }],
  ['htmx.js', { url: () => import.meta.resolve('htmx.org/dist/htmx.min.js'), type: SCRIPT }],
  ['pages.css', { url: () => own('pages.css'), type: STYLE }],
  ['pages.js', { url: () => own('pages.js'), type: SCRIPT }],
  ['favicon.svg', { url: () => own('favicon.svg'), type: 'image/svg+xml' }],
]);

/** Serves the files under `/{file}`; 404 for every other name. */
export function assetRoutes(): Hono {
  return new Hono().get('/:file', async (c) => {
    const file = FILES.get(c.req.param('file'));
    if (file === undefined) return c.notFound();
    const bytes = await readFile(fileURLToPath(file.url()));
    return c.body(new Uint8Array(bytes), 200, {
      'content-type': file.type,
      'cache-control': 'no-cache',
    });
  });
}

/** Beside this module; of a compiled program, beside the program. */
function own(name: string): string {
  return new URL(`assets/${name}`, import.meta.url).href;
}
