/** A customer on record: a guest, known from orders, or registered. */
import type { CustomerId } from './ids.ts';
import type { Language } from './language.ts';

export interface CustomerProfile {
  readonly id: CustomerId;
  readonly email: string;
  readonly name: string;
  readonly phone: string | null;
  /** Null: not said. */
  readonly language: Language | null;
  /** Agreed to notifications by SMS; never without a phone. */
  readonly smsConsent: boolean;
  /** Null: a guest. */
  readonly registeredAt: string | null;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}
