/** A visitor of the demo shop: keeps its cookies and follows its redirects, as a browser does. */
import { Hono } from 'hono';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { createShop } from '../../local/shop/shop.ts';

export interface Visitor {
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Page>;
  /** Sends a form, from a page of this origin by default. */
  post(path: string, form: Readonly<Record<string, string>>, origin?: string): Promise<Page>;
  /** The response as it comes, for streams. */
  open(path: string): Promise<Response>;
}

export interface Page {
  readonly status: number;
  /** Where the redirects ended. */
  readonly path: string;
  readonly headers: Headers;
  readonly text: string;
}

const ORIGIN = 'http://shop.test';

/** A visitor of a shop whose API is at `apiUrl`, and whose trouble is made at `sandbox`. */
export function openVisitor(apiUrl: string, sandbox: Sandbox): Visitor {
  const armed = () => sandbox.faults.list().filter(({ times }) => times !== 0);
  const site = { name: 'Holdfast', links: [{ href: '/shop', text: 'Shop' }], armed };
  const app = new Hono().route(
    '/shop',
    createShop({
      apiUrl,
      storefrontKey: 'hf_local_storefront',
      temporalUi: { url: 'http://127.0.0.1:8233', namespace: 'default' },
      site,
      providers: sandbox,
      livesOnMs: 1_500,
    }),
  );
  const cookies = new Map<string, string>();

  async function send(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = new Headers(init.headers);
    headers.set('cookie', cookie);
    const response = await app.request(`${ORIGIN}${path}`, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    return response;
  }

  async function follow(path: string, init?: RequestInit): Promise<Page> {
    const response = await send(path, init);
    const location = response.headers.get('location');
    if (location !== null) return follow(location);
    const { status, headers } = response;
    return { status, path, headers, text: await response.text() };
  }

  return {
    get: (path, headers = {}) => follow(path, { headers }),
    post: (path, form, origin = ORIGIN) =>
      follow(path, { method: 'POST', headers: { origin }, body: new URLSearchParams(form) }),
    open: (path) => send(path),
  };
}

/** The form of the checkout page as it opens, with changes. */
export async function buy(
  visitor: Visitor,
  sku: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<Page> {
  await visitor.post('/shop/basket', { sku, quantity: '1' });
  const { text } = await visitor.get('/shop/checkout');
  return visitor.post('/shop/checkout', { ...fieldsIn(text), presses: '1', ...changes });
}

/** What a browser would send: inputs with their values, what is ticked, and the choices of selects. */
export function fieldsIn(text: string): Record<string, string> {
  const inputs = [...text.matchAll(/<input[^>]*>/g)].map(([tag]) => tag);
  const sent = inputs.filter(
    (tag) => !/type="(?:radio|checkbox)"/.test(tag) || /\bchecked\b/.test(tag),
  );
  const fields = sent.map((tag) => [attribute(tag, 'name'), attribute(tag, 'value')] as const);
  const choices = [...text.matchAll(/<select name="(\w+)".*?<option value="(\w+)"[^>]*selected/gs)];
  const chosen = choices.map(([, name = '', value = '']) => [name, value] as const);
  return Object.fromEntries([...fields, ...chosen]);
}

function attribute(tag: string, name: string): string {
  return new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
}

/** The text of a page without its markup. */
export function wordsOf(text: string): string {
  return text
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll(/\s+/g, ' ');
}
