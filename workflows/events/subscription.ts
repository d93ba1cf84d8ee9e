/** Keeps one subscription's pump running for ever, on whichever worker is there. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { EventActivities } from '../activities.ts';
import type { SubscriptionInput } from './contract.ts';

/** Each pump is a few history events; well below where a history grows heavy. */
const PUMPS_PER_RUN = 200;

const { pumpSubscription } = proxyActivities<Pick<EventActivities, 'pumpSubscription'>>({
  // A pump ends its turn after 10 minutes by itself.
  startToCloseTimeout: '15 minutes',
  // A killed worker's pump is taken over within seconds.
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
  summary: 'Hand events to the subscriber',
});

export async function subscription(input: SubscriptionInput): Promise<void> {
  for (let pumps = 0; pumps < PUMPS_PER_RUN; pumps += 1) {
    const { kind } = await pumpSubscription(input);
    if (kind === 'gone') return;
  }
  await continueAsNew<typeof subscription>(input);
}
