/** Text messages need an account, its token and a sender: all of them, or none and no SMS. */
import type { ConfigProblem, Values } from './values.ts';

const REQUIRED = ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_FROM'];

/** What is missing beside what is set. */
export function smsProblems(values: Values): readonly ConfigProblem[] {
  const missing = REQUIRED.filter((variable) => !values[variable]);
  if (missing.length === REQUIRED.length) return [];
  const set = REQUIRED.filter((variable) => values[variable]).join(' and ');
  const problem = `required beside ${set}; without all of them no SMS is sent`;
  return missing.map((variable) => ({ variable, problem }));
}
