/** The entry point of the workflow bundle. */
export { checkout } from './checkout/checkout.ts';
export { delivery } from './events/delivery.ts';
export { resendNotification } from './events/resend-notification.ts';
export { bulk, importItems as import, report } from './jobs/job.ts';
export { requestReport } from './jobs/request-report.ts';
export { refund } from './refund/refund.ts';
export { reconcile } from './operations/reconcile.ts';
export { sweep } from './operations/sweep.ts';
export { subscription } from './events/subscription.ts';
