/**
 * Limits what says whether an e-mail is registered: per API key, so that nobody lists the customers, and
 * per address, so that nobody watches one. A form asks once or twice.
 */
import { createRateLimit } from '../limits/rate-limit.ts';
import { ProblemError } from '../http/problems.ts';

export interface GuessLimits {
  /** Counts one question about the e-mail. Throws ProblemError `too_many_requests`. */
  count(asked: { readonly apiKeyId: string; readonly email: string }): void;
}

const MINUTE = { windowMs: 60_000, maxKeys: 20_000 } as const;
export const MAX_OF_KEY = 600;
export const MAX_OF_ADDRESS = 10;

export function createGuessLimits(): GuessLimits {
  const ofKeys = createRateLimit({ ...MINUTE, max: MAX_OF_KEY });
  const ofAddresses = createRateLimit({ ...MINUTE, max: MAX_OF_ADDRESS });
  return {
    count({ apiKeyId, email }) {
      const retryAfterSeconds = ofKeys.take(apiKeyId) ?? ofAddresses.take(email);
      if (retryAfterSeconds === null) return;
      const detail = `At most ${MAX_OF_KEY} questions a minute with one API key, and ${MAX_OF_ADDRESS} about one e-mail. Retry later.`;
      throw new ProblemError({ code: 'too_many_requests', detail, retryAfterSeconds });
    },
  };
}
