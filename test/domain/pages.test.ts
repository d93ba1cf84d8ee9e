import { expect, test } from 'vitest';
import { newId } from '../../prisma/client/ids.ts';
import { checkoutPage, consolePage, workflowListPage } from '../../domain/pages.ts';

const id = newId('order');

test.each(['https://shop.example', 'https://shop.example/', 'https://shop.example/api//'])(
  'the links from %s have one slash between its parts',
  (url) => {
    const base = url.replace(/\/+$/, '');
    expect(consolePage(url, id)).toBe(`${base}/console/orders/${id}`);
    expect(checkoutPage({ url, namespace: 'default' }, id)).toBe(
      `${base}/namespaces/default/workflows/checkout%2F${id}`,
    );
  },
);

test('a query and a namespace are encoded in the link to a list of workflows', () => {
  const ui = { url: 'http://127.0.0.1:8233', namespace: 'a/b' };
  const query = 'WorkflowType="refund" AND NeedsAttention=true';
  const { pathname, searchParams } = new URL(workflowListPage(ui, query));
  expect(pathname).toBe('/namespaces/a%2Fb/workflows');
  expect(searchParams.get('query')).toBe(query);
});
