import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  ConfigError,
  readAppConfig,
  publicUrlOf,
  readTemporalConfig,
  smsSettingsOf,
  type Environment,
  shopProfileOf,
} from '../config.ts';
import { createCallbackVerifier } from '../gateways/warehouse/callback.ts';
import { PRODUCTION_CONFIG, REQUIRED_CONFIG } from './support/app-config.ts';

describe('an invalid setting', () => {
  test.each([
    ['MAIL_FROM', 'Holdfast'],
    ['MAIL_FROM', 'orders@'],
    ['MAIL_FROM', 'Holdfast <@shop.example>'],
    ['DEFAULT_LANGUAGE', 'fr'],
    ['SHOP_NAME', 'Tea\n& Co'],
    ['SHOP_NAME', 'x'.repeat(101)],
    ['SHOP_ORDER_URL', 'https://tea.example/orders'],
    ['SHOP_ORDER_URL', 'https://tea.example/{order}/{order_id}'],
    ['SHOP_ORDER_URL', 'javascript:alert({order_id})'],
    ['WAREHOUSE_CALLBACK_SECRET', 'eA=='],
    ['WAREHOUSE_CALLBACK_SECRET', 'whsec_'],
    ['WAREHOUSE_CALLBACK_SECRET', 'whsec_no base64!'],
    ['WAREHOUSE_CALLBACK_SECRET', 'whsec_abcde'],
    ['WAREHOUSE_CALLBACK_SECRET', 'whsec_eA'],
    ['RETAIN_KEYS_DAYS', '29'],
    ['RETAIN_EVENTS_DAYS', 'for ever'],
    ['RETAIN_PERSONAL_DATA_DAYS', '0'],
    ['WAREHOUSE_CALLBACK_SECRET', 'whsec_bG9j,eA=='],
    ['WAREHOUSE_CALLBACK_SECRET', ' , '],
    ['STRIPE_WEBHOOK_SECRET', 'secret'],
    ['STRIPE_WEBHOOK_SECRET', 'whsec_bG9j whsec_'],
    ['DATABASE_URL', 'mysql://127.0.0.1/shop'],
    ['DATABASE_URL', 'shop'],
    ['SMTP_URL', 'mail.shop.example'],
    ['WAREHOUSE_URL', 'file:///etc/passwd'],
    ['PUBLIC_URL', 'https://shop.example/checkout'],
    ['PUBLIC_URL', 'https://shop.example?shop=1'],
    ['PUBLIC_URL', 'https://shop.example#api'],
    ['PUBLIC_URL', 'https://user:word@shop.example'],
    ['STRIPE_API_URL', 'https://proxy.shop.example/stripe'],
    ['ENCRYPTION_KEYS', 'whsec_eA=='],
    ['ENCRYPTION_KEYS', `${REQUIRED_CONFIG.ENCRYPTION_KEYS} ${REQUIRED_CONFIG.ENCRYPTION_KEYS}`],
    ['TEMPORAL_ADDRESS', 'temporal:0'],
    ['TEMPORAL_ADDRESS', 'temporal:7233/x'],
    ['PORT', '0x50'],
    ['PORT', '8e1'],
    ['PORT', '80.5'],
    ['PORT', '٣٠٠٠'],
    ['PORT', '65536'],
    ['DATABASE_POOL', '2'],
    ['NODE_ENV', 'prod'],
    ['TWILIO_ACCOUNT_SID', 'AC1'],
    ['TWILIO_FROM', '0170 1234567'],
    ['TWILIO_FROM', 'MG1 with too many letters'],
    ['SHOP_TIME_ZONE', 'Berlin'],
    ['SHOP_TIME_ZONE', 'Europe/Atlantis'],
    ['SHOP_TIME_ZONE', '+02:00'],
  ])('the setting %s=%s is rejected with an error that names it', (name, value) => {
    const read = () => readAppConfig({ ...REQUIRED_CONFIG, [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`${name}: `);
  });
});

describe('the SMS provider', () => {
  const SMS = {
    TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: 'token',
    TWILIO_FROM: '+15005550006',
  };

  test('without its variables no SMS provider is configured, and that is no error', () => {
    expect(smsSettingsOf(readAppConfig(REQUIRED_CONFIG))).toBeNull();
  });

  test.each(['+15005550006', `MG${'1'.repeat(32)}`, 'My Shop'])(
    'an account, its token and the sender %s are an SMS provider at Twilio itself',
    (from) => {
      const settings = smsSettingsOf(
        readAppConfig({ ...REQUIRED_CONFIG, ...SMS, TWILIO_FROM: from }),
      );
      expect(settings).toMatchObject({ apiUrl: 'https://api.twilio.com', from });
    },
  );

  test.each(Object.keys(SMS))('an SMS provider without %s is refused with its name', (missing) => {
    const read = () => readAppConfig({ ...REQUIRED_CONFIG, ...SMS, [missing]: ' ' });
    expect(read).toThrow(`${missing}: required beside `);
  });
});

test.each(['Holdfast <orders@shop.example>', 'orders@shop.example', '"A, B" <a.b+c@d.example>'])(
  'MAIL_FROM accepts the sender %s',
  (from) => {
    expect(readAppConfig({ ...REQUIRED_CONFIG, MAIL_FROM: from }).MAIL_FROM).toBe(from);
  },
);

test.each([
  [{}, 'Holdfast'],
  [{ MAIL_FROM: 'Tea & Co <orders@tea.example>' }, 'Tea & Co'],
  [{ MAIL_FROM: '"Tea, Co" <orders@tea.example>' }, 'Tea, Co'],
  [{ MAIL_FROM: 'orders@tea.example' }, 'Holdfast'],
  [{ MAIL_FROM: '<orders@tea.example>' }, 'Holdfast'],
  [{ MAIL_FROM: 'Orders <orders@tea.example>', SHOP_NAME: 'Tea & Co' }, 'Tea & Co'],
])('messages call the shop of %j by the name %s', (env, name) => {
  expect(shopProfileOf(readAppConfig({ ...REQUIRED_CONFIG, ...env })).name).toBe(name);
});

test.each(['eA==', 'bG9j', 'bG9jYWw=', 'bG9jYWw'])(
  'the callback secret whsec_%s is accepted by the configuration and by the verifier',
  (base64) => {
    const secret = `whsec_${base64}`;
    const app = readAppConfig({ ...REQUIRED_CONFIG, WAREHOUSE_CALLBACK_SECRET: secret });
    expect(app.WAREHOUSE_CALLBACK_SECRET).toEqual([secret]);
    expect(() => createCallbackVerifier(app.WAREHOUSE_CALLBACK_SECRET)).not.toThrow();
  },
);

test.each(['A, B', 'A,B', 'A B', ' A \n B,', 'A,,B'])(
  'two secrets are read from a list that is written as %j',
  (list) => {
    const [first, second] = ['whsec_bG9j', 'whsec_bG9jYWw='];
    const both = list.replace('A', first).replace('B', second);
    const env = {
      ...REQUIRED_CONFIG,
      STRIPE_WEBHOOK_SECRET: both,
      WAREHOUSE_CALLBACK_SECRET: both,
    };
    const app = readAppConfig(env);
    expect(app.STRIPE_WEBHOOK_SECRET).toEqual([first, second]);
    expect(app.WAREHOUSE_CALLBACK_SECRET).toEqual([first, second]);
  },
);

test('spaces and line ends around a value are no part of it, and a blank value is missing', () => {
  const app = readAppConfig({ ...REQUIRED_CONFIG, STRIPE_API_KEY: 'sk\r\n', PORT: ' 8080 ' });
  expect(app).toMatchObject({ STRIPE_API_KEY: 'sk', PORT: 8080 });
  expect(messageOf({ ...REQUIRED_CONFIG, STRIPE_API_KEY: ' \t' })).toContain(
    'STRIPE_API_KEY: required',
  );
});

test('an empty variable of Temporal counts as missing', () => {
  const empty = { TEMPORAL_ADDRESS: '', TEMPORAL_API_KEY: ' ', TEMPORAL_TLS: '' };
  const settings = readTemporalConfig({ ...empty, XDG_CONFIG_HOME: '/nonexistent' });
  expect(settings.connectionOptions).toEqual({});
});

test('an address of the API may end with a slash', () => {
  const PUBLIC_URL = 'https://shop.example:8443/';
  expect(readAppConfig({ ...REQUIRED_CONFIG, PUBLIC_URL }).PUBLIC_URL).toBe(PUBLIC_URL);
});

test.each([
  ['127.0.0.1', 'http://127.0.0.1:3000'],
  ['shop.internal', 'http://shop.internal:3000'],
  ['::1', 'http://[::1]:3000'],
  ['::', 'http://[::1]:3000'],
  ['0.0.0.0', 'http://127.0.0.1:3000'],
])('without PUBLIC_URL an API that listens on %s is reached at %s', (HOST, url) => {
  expect(publicUrlOf(readAppConfig({ ...REQUIRED_CONFIG, HOST }))).toBe(url);
  expect(new URL(url).origin).toBe(url);
});

describe('in production', () => {
  const production = PRODUCTION_CONFIG;
  const required = [...Object.keys(REQUIRED_CONFIG), 'PUBLIC_URL', 'MAIL_FROM'].toSorted();

  test('every missing variable is named in one error that describes its value', () => {
    const lines = messageOf({ NODE_ENV: 'production' }).split('\n').slice(1);
    const named = lines.map((line) => line.trim().split(': ')[0] ?? '');
    expect(named.toSorted()).toEqual(required);
    for (const line of lines) {
      expect(line).toMatch(/: required\b.*, \S/);
      expect(line).not.toContain('Invalid input');
    }
  });

  test('docs/operations.md marks every required variable, and no other', () => {
    const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
    const marked = [...page.matchAll(/^\|.*$/gm)].flatMap(([row]) =>
      [...row.matchAll(/`([A-Z_]+)`\\\*/g)].map(([, name]) => name ?? ''),
    );
    expect(marked.toSorted()).toEqual(required);
  });

  test('a value of the wrong form is named with the form it must have', () => {
    const wrong = { PORT: 'http', ROLE: 'both', STOP_DELAY_MS: '-1', STRIPE_API_URL: 'stripe' };
    const message = messageOf({ ...production, ...wrong });
    expect(message).toContain('PORT: must be a whole number');
    expect(message).toContain('ROLE: must be one of api, worker, all');
    expect(message).toContain('STOP_DELAY_MS: must be at least 0');
    expect(message).toContain('STRIPE_API_URL: must be a URL');
  });

  test.each(['worker', 'all'])('the role %s requires PUBLIC_URL in production', (ROLE) => {
    expect(() => readAppConfig({ ...production, ROLE, PUBLIC_URL: '' })).toThrow('PUBLIC_URL: ');
    const PUBLIC_URL = 'https://checkout.shop.example';
    expect(readAppConfig({ ...production, ROLE, PUBLIC_URL }).PUBLIC_URL).toBe(PUBLIC_URL);
  });

  test('the role api needs no PUBLIC_URL in production', () => {
    const app = readAppConfig({ ...production, ROLE: 'api', PUBLIC_URL: '' });
    expect(app.PUBLIC_URL).toBeUndefined();
  });
});

function messageOf(env: Environment): string {
  try {
    readAppConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('it is a configuration that works');
}
