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
export const MAX_GUESSES = { perKey: 600, perAddress: 10 } as const;

export function createGuessLimits(): GuessLimits {
  const ofKeys = createRateLimit({ ...MINUTE, max: MAX_GUESSES.perKey });
  const ofAddresses = createRateLimit({ ...MINUTE, max: MAX_GUESSES.perAddress });
  return {
    count({ apiKeyId, email }) {
      const retryAfterSeconds = ofKeys.take(apiKeyId) ?? ofAddresses.take(email);
      if (retryAfterSeconds === null) return;
      const { perKey, perAddress } = MAX_GUESSES;
      const detail = `At most ${perKey} questions a minute with one API key, and ${perAddress} about one e-mail. Retry later.`;
      throw new ProblemError({ code: 'too_many_requests', detail, retryAfterSeconds });
    },
  };
}
