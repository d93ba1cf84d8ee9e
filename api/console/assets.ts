/** The console's files: libraries from node_modules, and its own. Nothing is loaded from elsewhere. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';

const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

/** The only files that are served. A compiled program has the console's own ones beside it. */
const FILES = {
  'pico.css': { type: CSS, url: () => import.meta.resolve('@picocss/pico/css/pico.min.css') },
  'uplot.css': { type: CSS, url: () => import.meta.resolve('uplot/dist/uPlot.min.css') },
  'console.css': { type: CSS, url: ownFile },
  'htmx.js': { type: SCRIPT, url: () => import.meta.resolve('htmx.org/dist/htmx.min.js') },
  'uplot.js': { type: SCRIPT, url: () => import.meta.resolve('uplot/dist/uPlot.iife.min.js') },
  'console.js': { type: SCRIPT, url: ownFile },
  'charts.js': { type: SCRIPT, url: ownFile },
  'icon.svg': { type: 'image/svg+xml', url: ownFile },
} as const;

function ownFile(name: string): string {
  return new URL(`assets/${name}`, import.meta.url).href;
}

export type AssetName = keyof typeof FILES;

interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Changes with the content, so that browsers may keep the file for good. */
  readonly href: string;
}

/** Reads a file once. The set is fixed, so the memory is bounded. */
function read(name: AssetName): Asset {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const { type, url } = FILES[name];
  const bytes = new Uint8Array(readFileSync(fileURLToPath(url(name))));
  const version = createHash('sha256').update(bytes).digest('base64url').slice(0, 10);
  const asset = { type, bytes, href: `/console/assets/${name}?v=${version}` };
  loaded.set(name, asset);
  return asset;
}

const loaded = new Map<AssetName, Asset>();

/** The address of a file, with its version. */
export function assetHref(name: AssetName): string {
  return read(name).href;
}

/** `/assets/:name`, without a session: the sign-in page needs them. */
export function assetRoutes() {
  return new Hono().get('/assets/:name', (c) => {
    const name = c.req.param('name');
    if (!isAsset(name)) return c.body(null, 404);
    const { type, bytes } = read(name);
    return c.body(bytes, 200, {
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
    });
  });
}

function isAsset(name: string): name is AssetName {
  return Object.hasOwn(FILES, name);
}
