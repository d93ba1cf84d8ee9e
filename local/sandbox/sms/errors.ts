/** Error responses in Twilio's shape: https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions */
import type { ProviderResponse } from '../calls.ts';
import type { RejectedWith } from '../faults.ts';

/** https://www.twilio.com/docs/api/errors */
export function failure(status: number, code: number, message: string): ProviderResponse {
  const more_info = `https://www.twilio.com/docs/errors/${code}`;
  return { status, body: { code, message, more_info, status }, replayable: false };
}

export function unauthorized(): ProviderResponse {
  return failure(401, 20003, 'Authenticate');
}

export function internal(): ProviderResponse {
  return failure(500, 20500, 'An internal server error has occurred');
}

export function tooMany(): ProviderResponse {
  return failure(429, 20429, 'Too Many Requests');
}

/** The recipient replied STOP. */
export function unsubscribed(): ProviderResponse {
  return failure(400, 21610, 'Attempt to send to unsubscribed recipient');
}

/** The error that a fault asks for. */
export function rejected({ status = 400, code = '21211' }: RejectedWith): ProviderResponse {
  return failure(status, Number(code) || 0, 'A fault of the sandbox.');
}
