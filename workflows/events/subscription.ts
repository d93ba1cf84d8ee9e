/** Keeps one subscription's pump running, on any worker. */
import { isCancellation, proxyActivities, sleep, TemporalFailure } from '@temporalio/workflow';
import { subscriptionWorkflowId } from '../../domain/ids.ts';
import type { EventActivities, PumpOutcome } from '../activities.ts';
import { continueAs, requireInput, takesUndecoded } from '../inputs.ts';
import { subscriptionInput } from './inputs.ts';
import type { SubscriptionInput } from './contract.ts';

/** Each pump adds a few history events: the history stays small. */
const PUMPS_PER_RUN = 200;
const PAUSE_AFTER_FAILURE = '5 seconds';

const { pumpSubscription } = proxyActivities<Pick<EventActivities, 'pumpSubscription'>>({
  // A pump ends on its own after 10 minutes.
  startToCloseTimeout: '15 minutes',
  // Another worker takes over the pump of a killed worker within seconds.
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
  summary: 'Deliver events to the subscriber',
});

takesUndecoded(subscription);

export async function subscription(given: SubscriptionInput): Promise<void> {
  const input = requireInput(subscriptionInput, given, (each) =>
    subscriptionWorkflowId(each.subscription),
  );
  for (let pumps = 0; pumps < PUMPS_PER_RUN; pumps += 1) {
    if ((await pump(input)) === 'gone') return;
  }
  await continueAs(input);
}

/** A pump is always replaced: its failures are a growing lag, which the audit and a metric name. */
async function pump(input: SubscriptionInput): Promise<PumpOutcome['kind']> {
  try {
    return (await pumpSubscription(input)).kind;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    await sleep(PAUSE_AFTER_FAILURE, { summary: 'The pump failed' });
    return 'again';
  }
}
