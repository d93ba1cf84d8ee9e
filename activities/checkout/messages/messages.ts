/**
 * The texts of the messages to customers. Each language has all of them, with the same placeholders:
 * names in braces, which `fill` replaces. They are plain text: the layout escapes them for HTML.
 */
import type { SmsKind } from '../../../domain/ids.ts';
import type { CancelReason } from '../../../domain/order.ts';

interface Titles {
  /** With `{shop}` and `{number}`, the order number. */
  readonly subject: string;
  readonly heading: string;
}

export interface Messages {
  /** With `{name}`. */
  readonly greeting: string;
  readonly confirmed: Titles & { readonly text: string };
  /** Of an order of which not all is sent; the last two with `{amount}`. */
  readonly partial: {
    readonly text: string;
    readonly sent: string;
    readonly unavailable: string;
    readonly creditBack: string;
    readonly released: string;
  };
  readonly shipped: Titles & { readonly text: string };
  readonly cancelled: Titles & {
    readonly reasons: Readonly<Record<CancelReason, string>>;
    /** True whether the amount was only reserved, or charged. */
    readonly noCharge: string;
    /** Where store credit paid. */
    readonly creditBack: string;
  };
  /** The payment was not confirmed in time. */
  readonly expired: Titles & { readonly text: string };
  /** With `{amount}`. */
  readonly refunded: Titles & {
    readonly whole: string;
    readonly part: string;
    readonly toCard: string;
    readonly toCredit: string;
  };
  readonly order: {
    /** With `{number}` and `{date}`. */
    readonly title: string;
    readonly item: string;
    readonly quantity: string;
    readonly amount: string;
    readonly total: string;
    /** What of the total is not sent, and what is left of it. */
    readonly unavailable: string;
    readonly due: string;
    readonly byCredit: string;
    readonly byCard: string;
  };
  readonly shipment: {
    readonly carrier: string;
    readonly unknownCarrier: string;
    readonly trackingNumber: string;
    /** Instead of both, when there is no number. */
    readonly untracked: string;
  };
  readonly orderLink: string;
  /** Text messages, with `{shop}` and `{number}`: short, and of the characters that GSM has. */
  readonly sms: Readonly<Record<SmsKind, string>>;
  /** Why the customer gets it, with `{shop}`. */
  readonly footer: string;
}

/** Puts values in place of `{placeholders}`. Throws TypeError for a placeholder without a value. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new TypeError(`no value for ${placeholder}`);
    return value;
  });
}
