/** The workflow bundle's single entry. */
export { checkout } from './checkout.ts';
export { delivery } from './delivery.ts';
export { notice } from './notice.ts';
export { refund } from './refund.ts';
export { reconcile } from './reconcile.ts';
export { sweep } from './sweep.ts';
export { subscription } from './subscription.ts';
