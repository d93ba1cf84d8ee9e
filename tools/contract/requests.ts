/** The requests of the checks, each about an order that they invent. */
import { providerKey, shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { WarehouseCall } from './warehouse.ts';

export function reserve(orderId: OrderId, sku: string, quantity = 1): WarehouseCall {
  const body = { order_id: orderId, lines: [{ sku, quantity }] };
  return { path: '/warehouse/reservations', key: providerKey(orderId, 'reserve'), body };
}

/** A reserve of an order whose customer takes what there is. */
export function reservePartly(orderId: OrderId, sku: string, quantity: number): WarehouseCall {
  const { body, ...rest } = reserve(orderId, sku, quantity);
  return { ...rest, body: { ...Object(body), partial: true } };
}

export function release(orderId: OrderId): WarehouseCall {
  return { path: `/warehouse/reservations/${orderId}/release`, body: {} };
}

export function ship(
  orderId: OrderId,
  { sku, callbackUrl }: { readonly sku: string; readonly callbackUrl: string },
): WarehouseCall {
  const address = { line1: 'Street 1', city: 'Berlin', postal_code: '10115', country: 'DE' };
  const body = {
    order_id: orderId,
    correlation_id: shipmentCorrelationId(orderId),
    callback_url: callbackUrl,
    lines: [{ sku, quantity: 1 }],
    recipient: { name: 'Contract Test', address },
  };
  return { path: '/warehouse/shipments', key: providerKey(orderId, 'ship'), body };
}

export function cancel(orderId: OrderId): WarehouseCall {
  return { path: `/warehouse/shipments/${shipmentCorrelationId(orderId)}/cancel`, body: {} };
}

export function lookUp(orderId: OrderId): WarehouseCall {
  return { method: 'GET', path: `/warehouse/shipments/${shipmentCorrelationId(orderId)}` };
}
