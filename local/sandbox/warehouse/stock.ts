/**
 * What the warehouse really has, which the shop's own stock does not know: of a SKU that nobody has set,
 * as much as anybody asks for. `PUT /warehouse/stock/{sku}` sets it, for tests and people.
 */
import { Hono } from 'hono';
import { z } from 'zod';
import { parseJson } from '../calls.ts';
import type { SandboxEnv } from '../calls.ts';
import type { Journal } from '../journal.ts';
import type { Reservation, ReserveRequest } from './records.ts';

type Lines = Reservation['lines'];

export interface WarehouseStock {
  /** Sets what can still be reserved; null: as much as anybody asks for. */
  set(sku: string, available: number | null): void;
  /** All of the lines, or, when the request allows it, what there is of them; null: refused. */
  take(request: ReserveRequest): Lines | null;
  giveBack(lines: Lines): void;
}

const MAX_SKUS = 100_000;
const count = z.int().min(0).max(1_000_000_000);
const bodySchema = z.strictObject({ available: count.nullable() });

export function createWarehouseStock(journal: Journal): WarehouseStock {
  const rows = journal.table({ name: 'stock', row: z.int(), limit: MAX_SKUS });
  const move = (lines: Lines, sign: 1 | -1): void => {
    for (const { sku, quantity } of lines) {
      const available = rows.get(sku);
      if (available !== undefined) rows.set(sku, available + sign * quantity);
    }
  };
  return {
    set: (sku, available) => {
      if (available === null) rows.delete(sku);
      else rows.set(sku, available);
    },
    take: ({ lines, partial = false }) => {
      const there = lines.flatMap(({ sku, quantity }) => {
        const available = Math.min(quantity, rows.get(sku) ?? quantity);
        return available > 0 ? [{ sku, quantity: available }] : [];
      });
      const isAll = lines.every(({ sku, quantity }) =>
        there.some((each) => each.sku === sku && each.quantity === quantity),
      );
      if (there.length === 0 || (!isAll && !partial)) return null;
      move(there, -1);
      return there;
    },
    giveBack: (lines) => move(lines, 1),
  };
}

/** The control of the stock. It needs no key of the shop. */
export function createStockRoutes(stock: WarehouseStock): Hono<SandboxEnv> {
  return new Hono<SandboxEnv>().put('/:sku', async (c) => {
    const sku = c.req.param('sku');
    const body = bodySchema.safeParse(parseJson(await c.req.text()));
    if (!body.success) {
      const message = 'Give available: a whole number of units, or null for no limit.';
      return c.json({ error: { message } }, 400);
    }
    stock.set(sku, body.data.available);
    return c.json({ sku, available: body.data.available });
  });
}
