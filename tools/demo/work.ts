/**
 * `npm run demo -- work`: one scene for each kind of work of a shop, in the order of
 * docs/synchronous-or-asynchronous.md: the call, its answer, and what happens behind it, with times.
 */
import { analytics, liveStatus, notifications, refund, reports, saga } from './work/later.ts';
import { authorization, catalog, formInput, hold, reads, record } from './work/at-once.ts';
import { heldShipment, partInStock, paymentAction, pendingRefund } from './work/cards.ts';
import type { PatternDemo } from './stage.ts';

export const WORK: Readonly<Record<string, PatternDemo>> = {
  'form input': formInput,
  catalog,
  'stock check and hold': hold,
  'payment authorization': authorization,
  'payment action': paymentAction,
  'order record': record,
  'independent reads': reads,
  'reserve, capture, ship': saga,
  'a part in stock': partInStock,
  'review, dispute': heldShipment,
  'mail and SMS': notifications,
  'analytics, feed, webhooks, audit': analytics,
  refund,
  'refund that takes days': pendingRefund,
  'reports, exports, nightly jobs': reports,
  'live order status': liveStatus,
};
