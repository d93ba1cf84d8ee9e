/** Keeps one subscription's pump running, on any worker. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { EventActivities } from '../activities.ts';
import type { SubscriptionInput } from './contract.ts';

/** Each pump adds a few history events: the history stays small. */
const PUMPS_PER_RUN = 200;

const { pumpSubscription } = proxyActivities<Pick<EventActivities, 'pumpSubscription'>>({
  // A pump ends on its own after 10 minutes.
  startToCloseTimeout: '15 minutes',
  // Another worker takes over the pump of a killed worker within seconds.
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
  summary: 'Deliver events to the subscriber',
});

export async function subscription(input: SubscriptionInput): Promise<void> {
  for (let pumps = 0; pumps < PUMPS_PER_RUN; pumps += 1) {
    const { kind } = await pumpSubscription(input);
    if (kind === 'gone') return;
  }
  await continueAsNew<typeof subscription>(input);
}
