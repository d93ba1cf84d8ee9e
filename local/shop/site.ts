/** The demo shop as a part of the sandbox, and the navigation between the pages of this machine. */
import type { Hono } from 'hono';
import { workflowListPage } from '../../domain/pages.ts';
import type { Link, Site } from '../web/page.ts';
import type { ShopOptions } from './dependencies.ts';
import type { Places } from './order-page.ts';
import type { Providers } from './providers.ts';
import { createShop } from './shop.ts';

export interface ShopSite {
  readonly links: readonly Link[];
  readonly shop: (sandbox: Providers & { readonly site: Site }) => Hono;
}

const CHECKOUTS = 'WorkflowType="checkout"';

/** The options of the sandbox that add the shop to it. */
export function shopSite(options: Omit<ShopOptions, 'site' | 'providers'>): ShopSite {
  return {
    links: linksOf(options),
    shop: ({ site, ...providers }) => createShop({ ...options, site, providers }),
  };
}

function linksOf({ apiUrl, temporalUi }: Places): readonly Link[] {
  const workflows = temporalUi === null ? null : workflowListPage(temporalUi, CHECKOUTS);
  return [
    { href: '/shop', text: 'Shop' },
    { href: '/inbox', text: 'Inbox' },
    { href: '/sms', text: 'SMS' },
    { href: '/', text: 'Sandbox' },
    { href: `${apiUrl}/console`, text: 'Console' },
    ...(workflows === null ? [] : [{ href: workflows, text: 'Web UI' }]),
  ];
}
