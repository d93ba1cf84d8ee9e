/** Configurations of the app for tests. Nothing listens at their addresses. */
import { createHash } from 'node:crypto';

/** Encrypts the webhook secrets of all tests. */
export const ENCRYPTION_KEYS = `tests:${Buffer.alloc(32, 'the key of all tests').toString('base64')}`;

/** The variables that the app cannot do without. */
export const REQUIRED_CONFIG = {
  DATABASE_URL: 'postgresql://127.0.0.1/holdfast',
  ENCRYPTION_KEYS,
  STRIPE_API_KEY: 'sk',
  STRIPE_WEBHOOK_SECRET: 'whsec_eA==',
  WAREHOUSE_URL: 'http://127.0.0.1:9',
  WAREHOUSE_API_KEY: 'key',
  WAREHOUSE_CALLBACK_SECRET: 'whsec_eA==',
  SMTP_URL: 'smtp://127.0.0.1:9',
} as const;

/** What production accepts. */
export const PRODUCTION_CONFIG = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://checkout.shop.example',
  DATABASE_URL: `postgresql://shop:${hexOf('db')}@db.shop.example:5432/shop?sslmode=verify-full`,
  ENCRYPTION_KEYS: `k1:${bytesOf('k1').toString('base64')}`,
  STRIPE_API_KEY: `sk_live_${hexOf('key')}`,
  STRIPE_WEBHOOK_SECRET: `whsec_${hexOf('payments').slice(0, 32)}`,
  WAREHOUSE_URL: 'https://wms.shop.example',
  WAREHOUSE_API_KEY: hexOf('warehouse').slice(0, 32),
  WAREHOUSE_CALLBACK_SECRET: `whsec_${bytesOf('callback').toString('base64')}`,
  SMTP_URL: 'smtps://shop:password@mail.shop.example',
  MAIL_FROM: 'My shop <orders@shop.example>',
} as const;

/** 32 bytes that look random, the same each time. */
export function bytesOf(seed: string): Buffer {
  return createHash('sha256').update(seed).digest();
}

export function hexOf(seed: string): string {
  return bytesOf(seed).toString('hex');
}
