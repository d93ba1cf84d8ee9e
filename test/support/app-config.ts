/** The variables that the app cannot do without. Nothing listens at these addresses. */
export const REQUIRED_CONFIG = {
  DATABASE_URL: 'postgresql://127.0.0.1/holdfast',
  STRIPE_API_KEY: 'sk',
  STRIPE_WEBHOOK_SECRET: 'whsec_eA==',
  WAREHOUSE_URL: 'http://127.0.0.1:9',
  WAREHOUSE_API_KEY: 'key',
  WAREHOUSE_CALLBACK_SECRET: 'whsec_eA==',
  SMTP_URL: 'smtp://127.0.0.1:9',
} as const;
