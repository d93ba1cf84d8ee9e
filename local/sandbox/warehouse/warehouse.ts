/** The warehouse: reservations, parcels, callbacks, API. */
import type { Hono } from 'hono';
import type { CallLog } from '../call-log.ts';
import type { SandboxEnv } from '../calls.ts';
import type { SandboxClock } from '../clock.ts';
import type { Faults } from '../faults.ts';
import type { Journal } from '../journal.ts';
import { createIdempotencyStore } from '../idempotency-store.ts';
import type { Ledger } from '../ledger.ts';
import { failed, keyInUse, keyMismatch, rejected } from './responses.ts';
import { createOrderList } from './list.ts';
import { createCallbacks } from './callbacks.ts';
import { createReservations } from './reservations.ts';
import { createWarehouseRoutes } from './routes.ts';
import { createShipments } from './shipments.ts';
import { createWarehouseStock, type WarehouseStock } from './stock.ts';

export interface WarehouseOptions {
  readonly journal: Journal;
  readonly clock: SandboxClock;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly ledger: Ledger;
  readonly secret: string;
  readonly callbackDelayMs: number;
  readonly retryDelaysMs: readonly number[];
}

export interface Warehouse {
  readonly routes: Hono<SandboxEnv>;
  readonly stock: WarehouseStock;
  readonly close: () => Promise<void>;
}

export function createWarehouse(options: WarehouseOptions): Warehouse {
  const { journal, clock, faults, ledger, callbackDelayMs } = options;
  const callbacks = createCallbacks(options);
  const stock = createWarehouseStock(journal);
  const reservations = createReservations(journal, { ledger, stock });
  const shipments = createShipments({
    journal,
    ledger,
    faults,
    reservations,
    callbacks,
    callbackDelayMs,
  });
  const context = {
    provider: 'warehouse',
    journal,
    faults,
    calls: options.calls,
    keys: createIdempotencyStore(journal, clock, { ttlMs: null }),
    failed,
    rejected,
    keyMismatch,
    keyInUse,
  } as const;
  return {
    stock,
    routes: createWarehouseRoutes({
      context,
      reservations,
      shipments,
      orderList: createOrderList(reservations, shipments),
    }),
    close: async () => {
      await shipments.close();
      await callbacks.close();
    },
  };
}
