/**
 * Goods that a person sends past the warehouse. Our request may still stand there, and must not become
 * a second parcel: it is called back before the order is shipped by hand.
 */
import { TemporalFailure } from '@temporalio/workflow';
import type { CheckoutRun, Parcel } from './state.ts';
import { steps } from '../steps.ts';
import { SHIPMENT_CANCELLATION } from './compensate.ts';

const MANUAL: Parcel = { kind: 'shipped', carrier: 'arranged by hand', trackingNumber: 'none' };

/**
 * The parcel of the order: by hand, or the warehouse's where that left first. Where the warehouse does
 * not answer a person is asked, and may call the request back by hand as well. Runs in a
 * non-cancellable scope: the goods are on their way.
 */
export async function shipManually(run: CheckoutRun): Promise<Parcel> {
  while (run.settled.get(SHIPMENT_CANCELLATION) !== 'skipped') {
    try {
      const outcome = await run.progress.track(SHIPMENT_CANCELLATION, () =>
        steps.cancelShipment({ orderId: run.orderId }),
      );
      return outcome.kind === 'cancelled' ? MANUAL : { ...outcome, kind: 'shipped' };
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      await askAbout(run, error);
    }
  }
  run.progress.mark(SHIPMENT_CANCELLATION, 'skipped');
  return MANUAL;
}

async function askAbout({ attention, settled }: CheckoutRun, error: unknown): Promise<void> {
  const { decision } = await attention.ask({
    steps: [SHIPMENT_CANCELLATION],
    error,
    resumes: { retry: 'paid', skip: 'paid', cancel: 'paid' },
  });
  if (decision === 'skip') settled.set(SHIPMENT_CANCELLATION, 'skipped');
}
