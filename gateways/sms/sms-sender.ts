/** Text messages (SMS) to a customer. */
import type { SendOutcome } from '../mail/mailer.ts';
import type { BreakerView } from '../resilience/outcome.ts';

export interface Sms {
  /** A number in E.164. */
  readonly to: string;
  /** Constant per order and notification: the provider's message is recognized by it and `to`. */
  readonly body: string;
}

export interface SmsSender {
  /** Sends the message, unless the provider already has it. */
  send(sms: Sms): Promise<SendOutcome>;
  breakers(): readonly BreakerView[];
}
