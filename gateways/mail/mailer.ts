/** Mail to a customer. The message key becomes the Message-ID, so a repeat can be recognised. */
import type { BreakerView, NoAnswer } from '../resilience/outcome.ts';

export interface Mail {
  /** From `notificationKey`: constant per order and notice. */
  readonly messageKey: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export type SendOutcome =
  | { readonly kind: 'sent' }
  /** The server said no for good (SMTP 5xx), e.g. no such mailbox. */
  | { readonly kind: 'refused'; readonly reason: string }
  | NoAnswer;

export interface Mailer {
  send(mail: Mail): Promise<SendOutcome>;
  breakers(): readonly BreakerView[];
}
