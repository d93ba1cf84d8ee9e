/** A file of products or stock to import: its columns, and its rows as text. */
import { decimalsOf } from './iso-4217.ts';

/** The columns that every file has, in any order. */
export const IMPORT_COLUMNS = {
  products: ['sku', 'name', 'description', 'price_minor', 'currency'],
  stock: ['sku', 'on_hand'],
} as const;

export type ImportType = keyof typeof IMPORT_COLUMNS;

/** The currency of a column such as `price_minor_USD`, which a file of products may have; null of another. */
export function currencyOfColumn(name: string): string | null {
  const [, currency = ''] = /^price_minor_([A-Z]{3})$/.exec(name) ?? [];
  return decimalsOf(currency) === undefined ? null : currency;
}

/** Why a row is not applied. */
export interface RowError {
  /** Null: the whole row. */
  readonly column: string | null;
  readonly message: string;
}

export interface ImportRow {
  /** As a spreadsheet counts: the header is row 1, and empty rows count. */
  readonly row: number;
  /** By column, trimmed. */
  readonly values: Readonly<Record<string, string>>;
  /** What is wrong with it in its file. Null: its values may still be invalid. */
  readonly error: RowError | null;
}

/** The value of a row, or why it has none. */
export type CheckedRow<T> =
  | { readonly kind: 'valid'; readonly value: T }
  | { readonly kind: 'invalid'; readonly error: RowError };
