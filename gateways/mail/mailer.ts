/** Mail to a customer. The message key becomes the Message-ID, so that a repeat is recognizable. */
import type { BreakerView, NoResponse } from '../resilience/outcome.ts';

export interface Mail {
  /** From `notificationKey`: constant per order and notification. */
  readonly messageKey: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export type SendOutcome =
  | { readonly kind: 'sent' }
  /** The server rejected it permanently (SMTP 5xx), e.g. no such mailbox. */
  | { readonly kind: 'refused'; readonly reason: string }
  | NoResponse;

export interface Mailer {
  send(mail: Mail): Promise<SendOutcome>;
  breakers(): readonly BreakerView[];
}
