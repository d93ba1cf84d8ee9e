/** The saga as everyone writes it: one activity per step, a signal for the callback. */
import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';
import type { OrderId } from '../../../domain/ids.ts';
import type { ShipmentAnswered } from '../../../workflows/checkout/contract.ts';
import { checkout, type Steps } from './engine.ts';

export const answered = defineSignal<[ShipmentAnswered]>('answered');

const steps = proxyActivities<Steps>({ startToCloseTimeout: '15 seconds' });

export async function plainCheckout(orderId: OrderId): Promise<void> {
  let received: ShipmentAnswered | undefined;
  setHandler(answered, (answer) => void (received = answer));
  const durable = {
    step: <T>(_: string, work: () => Promise<T>) => work(),
    async answer(): Promise<ShipmentAnswered> {
      await condition(() => received !== undefined);
      return received as ShipmentAnswered;
    },
  };
  await checkout({ steps, orderId }, durable);
}
