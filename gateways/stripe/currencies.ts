/**
 * What Stripe charges, as its documentation says (https://docs.stripe.com/currencies, 2026). All
 * amounts here are Stripe's: the integers of its API. HUF and TWD are whole only in payouts, which a
 * shop does not request; their charges have two decimals.
 */

/** Presentment currencies of cards, without those that ISO 4217 has withdrawn since (ANG, BGN, STD). */
export const CHARGEABLE: ReadonlySet<string> = new Set(
  (
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF ' +
    'CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG ' +
    'HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD ' +
    'MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON ' +
    'RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU ' +
    'UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW'
  ).split(' '),
);

/** Of `currency`, the decimals of Stripe's integer: two unless listed. */
export function stripeDecimals(currency: string): number {
  if (TWO_DECIMALS_00.has(currency) || !ZERO_DECIMALS.has(currency)) {
    return THREE_DECIMALS.has(currency) ? 3 : 2;
  }
  return 0;
}

/** Stripe's integer must be a multiple of this. */
export function stripeStep(currency: string): number {
  if (TWO_DECIMALS_00.has(currency)) return 100;
  return THREE_DECIMALS.has(currency) ? 10 : 1;
}

/** The smallest charge in this currency, when it is also the settlement currency; 1 unless listed. */
export function stripeMinimum(currency: string): number {
  return MINIMUMS.get(currency) ?? 1;
}

/** The largest charge: eight digits unless listed. */
export function stripeMaximum(currency: string): number {
  return 10 ** (DIGITS.get(currency) ?? 8) - 1;
}

const ZERO_DECIMALS: ReadonlySet<string> = new Set(
  'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF'.split(' '),
);
/** Without decimals in ISO 4217; Stripe still counts hundredths, which must be 00. */
const TWO_DECIMALS_00: ReadonlySet<string> = new Set(['ISK', 'UGX']);
/** The last digit must be 0. */
const THREE_DECIMALS: ReadonlySet<string> = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND']);
const MINIMUMS: ReadonlyMap<string, number> = new Map([
  ['AED', 200],
  ['ARS', 50],
  ['AUD', 50],
  ['BRL', 50],
  ['CAD', 50],
  ['CHF', 50],
  ['COP', 50],
  ['CZK', 1_500],
  ['DKK', 250],
  ['EUR', 50],
  ['GBP', 30],
  ['HKD', 400],
  ['HUF', 17_500],
  ['IDR', 50],
  ['ILS', 50],
  ['INR', 50],
  ['JPY', 50],
  ['KRW', 50],
  ['MXN', 1_000],
  ['MYR', 200],
  ['NOK', 300],
  ['NZD', 50],
  ['PHP', 50],
  ['PLN', 200],
  ['RON', 200],
  ['RUB', 50],
  ['SEK', 300],
  ['SGD', 50],
  ['THB', 1_000],
  ['USD', 50],
  ['ZAR', 50],
]);
const DIGITS: ReadonlyMap<string, number> = new Map([
  ['COP', 10],
  ['HUF', 10],
  ['IDR', 12],
  ['INR', 9],
  ['JPY', 10],
  ['LBP', 11],
]);
