/** The warehouse's callbacks about shipping requests, signed after Standard Webhooks. */
import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { CallLog } from '../call-log.ts';
import { createDeliveries } from '../deliveries.ts';
import type { Faults } from '../faults.ts';
import type { Journal } from '../journal.ts';
import type { Shipment } from './records.ts';

export interface Callbacks {
  /** Reports a parcel that was shipped or refused. */
  announce(shipment: Shipment): void;
  close(): Promise<void>;
}

export interface CallbackOptions {
  readonly journal: Journal;
  readonly faults: Faults;
  readonly calls: CallLog;
  /** `whsec_` and base64: https://github.com/standard-webhooks/standard-webhooks */
  readonly secret: string;
  readonly retryDelaysMs: readonly number[];
}

export function createCallbacks(options: CallbackOptions): Callbacks {
  const signer = new Webhook(options.secret);
  const deliveries = createDeliveries({
    ...options,
    place: { provider: 'warehouse', operation: 'callback' },
    sign: ({ message_id, body }, nowMs) => ({
      'webhook-id': message_id,
      'webhook-timestamp': String(Math.floor(nowMs / 1000)),
      'webhook-signature': signer.sign(message_id, new Date(nowMs), body),
    }),
  });
  return {
    announce: (shipment) => {
      if (shipment.callback_url === undefined) return;
      const { correlation_id, order_id, carrier, tracking_number, reason } = shipment;
      const body = JSON.stringify({
        type: `shipment.${shipment.state}`,
        timestamp: new Date().toISOString(),
        data: { correlation_id, order_id, carrier, tracking_number, reason },
      });
      const id = createHash('sha256').update(correlation_id).digest('hex').slice(0, 24);
      deliveries.enqueue({ message_id: `msg_${id}`, url: shipment.callback_url, body });
    },
    close: () => deliveries.close(),
  };
}
