/** Faults in words, for the banner and the switches. */

export interface ArmedFault {
  readonly provider: string;
  readonly operation: string;
  readonly mode: string;
  /** How often it may still fire; undefined: until it is switched off. */
  readonly times?: number | undefined;
}

const PROVIDER_WORDS: Readonly<Record<string, string>> = {
  payments: 'Payment provider',
  warehouse: 'Warehouse',
  mail: 'Mail server',
  sms: 'SMS provider',
};

/** What each mode does to a call, as the sandbox implements it. */
export const MODE_WORDS: Readonly<Record<string, string>> = {
  latency: 'answers slowly',
  fail_before: 'answers with an error, without effect',
  fail_saved: 'answers with an error, without effect, and again under the same key',
  refuse: 'refuses',
  reject: 'answers with a chosen error, without effect',
  answer_lost: 'acts, but the response is lost',
  hang: 'never answers',
  down: 'cuts the connection, without effect',
  duplicate: 'sends its message twice',
  late: 'acts late',
};

/** The provider as a person calls it. */
export function providerInWords(provider: string): string {
  return PROVIDER_WORDS[provider] ?? provider;
}

/** One armed fault as a sentence, such as `Warehouse, ship: refuses (once more)`. */
export function faultInWords({ provider, operation, mode, times }: ArmedFault): string {
  const what = MODE_WORDS[mode] ?? mode;
  return `${providerInWords(provider)}, ${operation}: ${what} (${often(times)})`;
}

function often(times: number | undefined): string {
  if (times === undefined) return 'until it is switched off';
  return times === 1 ? 'once more' : `${times} times more`;
}
