/** Money as integer minor units with an ISO 4217 code. No floats, no silent overflow. */

export interface Money {
  readonly amountMinor: number;
  readonly currency: string;
}

/** Sums `unit x quantity` over lines. Throws RangeError beyond the safe integer range. */
export function sumMinor(
  lines: readonly { readonly unitPriceMinor: number; readonly quantity: number }[],
): number {
  const total = lines.reduce((sum, line) => sum + line.unitPriceMinor * line.quantity, 0);
  if (!Number.isSafeInteger(total)) throw new RangeError('amount is beyond the safe integer range');
  return total;
}

/** Formats money for people, with the ISO 4217 number of decimals of the currency. */
export function formatMoney(money: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: money.currency });
  const decimals = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(money.amountMinor / 10 ** decimals);
}
