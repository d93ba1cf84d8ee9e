import { expect, test } from 'vitest';
import { indexPage, type IndexPage } from '../../api/routes/index-page.ts';
import { WORKFLOW_FILTERS } from '../../domain/pages.ts';

const NOTHING: IndexPage = { console: false, temporalUi: null, sandboxUrl: null };

test('the start page links the reference, the problems and the state of the process in any configuration', async () => {
  expect(await linksOf(NOTHING)).toEqual([
    '/readyz',
    '/metrics',
    '/docs',
    '/docs/errors',
    '/openapi.json',
  ]);
});

test('the start page links the demo shop, the console and every filter of the Web UI where there are such', async () => {
  const temporalUi = { url: 'http://ui.example', namespace: 'shop' };
  const page = { console: true, temporalUi, sandboxUrl: 'http://sandbox.example' };
  const links = await linksOf(page);
  expect(links).toEqual(
    expect.arrayContaining([
      'http://sandbox.example/shop',
      'http://sandbox.example/inbox',
      '/console',
    ]),
  );
  const filters = links.filter((href) => href.startsWith('http://ui.example/namespaces/shop/'));
  expect(filters).toHaveLength(WORKFLOW_FILTERS.length);
});

test('the key of the local operator is named only where there is a demo shop', async () => {
  const production = String(await indexPage({ ...NOTHING, console: true }));
  expect(production).not.toContain('hf_local');
  const local = String(await indexPage({ ...NOTHING, console: true, sandboxUrl: 'http://s' }));
  expect(local).toContain('hf_local_operator');
});

async function linksOf(page: IndexPage): Promise<string[]> {
  const text = String(await indexPage(page));
  return [...text.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => href);
}
