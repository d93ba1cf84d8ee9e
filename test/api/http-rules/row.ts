/** One rule of HTTP: a request, and what its answer must be. */
import type { Sent } from '../../support/raw-http.ts';

export interface Row {
  readonly rule: string;
  /** Method and target; `{order}`, `{customer}`, `{endpoint}` and `{tag}` stand for what the shop has. */
  readonly ask: string;
  readonly sent?: Sent;
  readonly status: number;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string | RegExp | null>>;
  readonly says?: RegExp;
}

export const JSON_TYPE = 'Content-Type: application/json';
