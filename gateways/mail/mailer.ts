/** Mail, as text and as HTML. The message key becomes the Message-ID, so that a repeat is recognizable. */
import type { Language } from '../../domain/language.ts';
import type { BreakerView, NoResponse } from '../resilience/outcome.ts';

export interface Mail {
  /** From `notificationKey`: constant per order and notification. */
  readonly messageKey: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The same as `text`: the reader's program shows one of them. Null: a mail to our own people. */
  readonly html: string | null;
  readonly language: Language;
}

export type SendOutcome =
  | { readonly kind: 'sent' }
  /** The server rejected it permanently (SMTP 5xx), e.g. no such mailbox. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The server got the whole mail and did not say that it took it: a repeat may be a second copy. */
  | { readonly kind: 'unconfirmed'; readonly reason: string }
  | NoResponse;

export interface Mailer {
  send(mail: Mail): Promise<SendOutcome>;
  breakers(): readonly BreakerView[];
}
