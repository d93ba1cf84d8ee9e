/**
 * What went wrong with a call, in words: an operator reads them at an order or dead letter, in Temporal
 * and in the log. Built from technical codes alone, never from a provider's text.
 */
import { AccessRefused, CallFault, NotUnderstood, ProviderBusy } from './faults.ts';

/** By the first part of a guard's name. */
const PROVIDERS: Readonly<Record<string, string>> = {
  payments: 'the payment provider',
  warehouse: 'the warehouse',
  mail: 'the mail server',
  sms: 'the SMS provider',
};

/** The provider behind the guard `<provider>.<group>`, in words. */
export function providerOf(guard: string): string {
  return PROVIDERS[guard.split('.')[0] ?? ''] ?? 'the provider';
}

/** What ended a call, e.g. `connection refused by the warehouse`. What is no `CallFault` is the deadline. */
export function describeFault(provider: string, fault: unknown): string {
  if (!(fault instanceof CallFault)) return describeCode(provider, 'deadline');
  const code = fault.reason;
  if (fault instanceof AccessRefused) {
    return `${provider} refuses our credentials or account (${code})`;
  }
  if (fault instanceof ProviderBusy) return `${provider} is busy (${code})`;
  if (fault instanceof NotUnderstood)
    return `the answer of ${provider} is not understood (${code})`;
  return describeCode(provider, code);
}

function describeCode(provider: string, code: string): string {
  if (code === 'deadline') return `no answer from ${provider} in time`;
  const [, protocol, status = ''] = /^(http|smtp)_(\d+)$/.exec(code) ?? [];
  if (protocol !== undefined) return `${provider} answered ${protocol.toUpperCase()} ${status}`;
  // SMTP's words are the library's codes for what happened without a reply.
  const [, connection] = /^(?:connection|smtp)_(.+)$/.exec(code) ?? [];
  if (connection !== undefined) return describeConnection(provider, connection);
  return `no usable answer from ${provider} (${code})`;
}

/** By the codes of the operating system, of undici (the HTTP client behind `fetch`) and of nodemailer. */
function describeConnection(provider: string, code: string): string {
  switch (code) {
    case 'econnrefused':
      return `connection refused by ${provider}`;
    case 'econnreset':
    case 'epipe':
    case 'und_err_socket':
      return `connection to ${provider} lost`;
    case 'enotfound':
    case 'eai_again':
      return `the host of ${provider} is not found`;
    default:
      return `no connection to ${provider} (${code})`;
  }
}
