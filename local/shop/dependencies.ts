/** What the shop is made of. */
import type { Site } from '../web/page.ts';
import type { ShopApi } from './api.ts';
import type { Places } from './order-page.ts';
import type { Providers } from './providers.ts';
import type { Purchases } from './purchases.ts';

export interface ShopOptions extends Places {
  readonly storefrontKey: string;
  readonly site: Site;
  readonly providers: Providers;
  readonly livesOnMs?: number;
}

export interface ShopDeps extends ShopOptions {
  readonly api: ShopApi;
  readonly purchases: Purchases;
}
