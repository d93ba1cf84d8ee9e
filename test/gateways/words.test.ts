import { TaskCancelledError } from 'cockatiel';
import { expect, test } from 'vitest';
import {
  AccessRefused,
  Inconclusive,
  NotUnderstood,
  ProviderBusy,
  ProviderFault,
} from '../../gateways/resilience/faults.ts';
import { describeFault, providerOf } from '../../gateways/resilience/words.ts';

const busy = { status: 429, reason: 'http_429', retryAfter: null };

test.each([
  [
    'warehouse.reserve',
    new ProviderFault('connection_econnrefused'),
    'connection refused by the warehouse',
  ],
  [
    'warehouse.ship',
    new ProviderFault('connection_und_err_socket'),
    'connection to the warehouse lost',
  ],
  [
    'warehouse.ship',
    new ProviderFault('connection_enotfound'),
    'the host of the warehouse is not found',
  ],
  [
    'payments.settle',
    new ProviderFault('connection_failed'),
    'no connection to the payment provider (failed)',
  ],
  ['payments.settle', new ProviderFault('http_503'), 'the payment provider answered HTTP 503'],
  ['payments.settle', new ProviderFault('deadline'), 'no answer from the payment provider in time'],
  ['payments.settle', new TaskCancelledError(), 'no answer from the payment provider in time'],
  [
    'payments.find',
    new Inconclusive('still_processing'),
    'no usable answer from the payment provider (still_processing)',
  ],
  ['mail.send', new ProviderFault('smtp_421'), 'the mail server answered SMTP 421'],
  [
    'mail.send',
    new ProviderFault('smtp_econnection'),
    'no connection to the mail server (econnection)',
  ],
  [
    'mail.send',
    new AccessRefused('smtp_535'),
    'the mail server refuses our credentials or account (smtp_535)',
  ],
  ['warehouse.lookup', new ProviderBusy(busy), 'the warehouse is busy (http_429)'],
  ['warehouse.lookup', new NotUnderstood('x'), 'the answer of the warehouse is not understood (x)'],
])('%s: %o is described as "%s"', (guard, fault, words) => {
  expect(describeFault(providerOf(guard), fault)).toBe(words);
});
