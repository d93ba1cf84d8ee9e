/** Payments that wait for their shopper, and what settles them: a call at the provider like any other. */
import { attempt } from '../calls.ts';
import type { ProviderContext, SandboxContext } from '../calls.ts';
import type { Authentication } from './authorize.ts';
import type { IntentStore } from './intents.ts';
import { orderOf } from './records.ts';
import type { Intent } from './records.ts';

export interface Challenges {
  /** Newest first. */
  waiting(): readonly Intent[];
  /** Undefined when there is no such payment. It may not wait any more. */
  find(id: string): Intent | undefined;
  /** Responds to one attempt, with the fault of `payments/challenge`. */
  settle(c: SandboxContext, id: string, authentication: Authentication): Promise<Response>;
}

export function createChallenges(context: ProviderContext, intents: IntentStore): Challenges {
  return {
    waiting: () => intents.all().filter(({ status }) => status === 'requires_action'),
    find: intents.find,
    settle: (c, id, authentication) => {
      const intent = intents.find(id);
      return attempt(c, context, {
        operation: 'challenge',
        key: null,
        fingerprint: '',
        orderId: intent === undefined ? null : orderOf(intent),
        // A refusal is the bank's: the authentication fails.
        run: (refused) => intents.authenticate(id, refused ? 'failed' : authentication),
      });
    },
  };
}
