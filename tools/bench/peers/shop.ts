/** The gateways and the database of a peer, connected as in run.ts, and the steps over them. */
import { createInventoryActivities } from '../../../activities/checkout/inventory.ts';
import { createNotificationActivities } from '../../../activities/checkout/notification.ts';
import { createPaymentActivities } from '../../../activities/checkout/payment.ts';
import { createShipmentActivities } from '../../../activities/checkout/shipment.ts';
import { limitSettingsOf, shopProfileOf, type AppConfig } from '../../../config.ts';
import { createSmtpMailer } from '../../../gateways/mail/smtp-mailer.ts';
import { createLimits } from '../../../gateways/resilience/limits.ts';
import { createStripePayments } from '../../../gateways/stripe/payments.ts';
import { createHttpWarehouse } from '../../../gateways/warehouse/http-warehouse.ts';
import { createDatabase } from '../../../prisma/client/client.ts';
import type { Steps } from './engine.ts';

export type Shop = ReturnType<typeof openShop>;

export function openShop(config: AppConfig) {
  const limits = createLimits(limitSettingsOf(config));
  const payments = createStripePayments({
    limits: limits.payments,
    apiUrl: config.STRIPE_API_URL,
    apiKey: config.STRIPE_API_KEY,
  });
  const warehouse = createHttpWarehouse({
    limits: limits.warehouse,
    baseUrl: config.WAREHOUSE_URL,
    apiKey: config.WAREHOUSE_API_KEY,
  });
  const mailer = createSmtpMailer({
    limits: limits.mail,
    smtpUrl: config.SMTP_URL,
    from: config.MAIL_FROM,
  });
  const db = createDatabase({ url: config.DATABASE_URL, poolSize: config.DATABASE_POOL });
  const warehouseCallbackUrl = `${config.PUBLIC_URL}/callbacks/warehouse`;
  const shop = shopProfileOf(config);
  const deps = { db, payments, warehouse, mailer, sms: null, shop, warehouseCallbackUrl };
  const steps: Steps = {
    ...createInventoryActivities(deps),
    ...createPaymentActivities(deps),
    ...createShipmentActivities(deps),
    ...createNotificationActivities(deps),
  };
  return { db, payments, steps };
}
