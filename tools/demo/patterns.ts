/** The demo of each pattern, by the name of its page in docs/patterns/. */
import { circuitBreaker, saga, timeoutsAndRetries } from './patterns/calls.ts';
import { deadLetter, outbox, requestReply } from './patterns/messages.ts';
import { publishSubscribe } from './patterns/publish-subscribe.ts';
import { cache, idempotency, parallelReads } from './patterns/requests.ts';
import type { PatternDemo } from './stage.ts';

export const PATTERNS: Readonly<Record<string, PatternDemo>> = {
  saga,
  outbox,
  'publish-subscribe': publishSubscribe,
  'request-reply': requestReply,
  'dead-letter': deadLetter,
  'circuit-breaker': circuitBreaker,
  'timeouts-and-retries': timeoutsAndRetries,
  'parallel-reads': parallelReads,
  cache,
  idempotency,
};
