import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, readAppConfig, type Environment } from '../../config.ts';
import { LOCAL_SECRETS, MAY_BE_UNSAFE } from '../../config/production.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { bytesOf, ENCRYPTION_KEYS, hexOf, PRODUCTION_CONFIG } from '../support/app-config.ts';
import { makeDir } from '../support/run-files.ts';

/** No file of the user's is read. */
const CONFIG: Environment = { ...PRODUCTION_CONFIG, XDG_CONFIG_HOME: '/nonexistent' };
const DATABASE = 'postgresql://shop:0f3c9a7b@db.shop.example:5432/shop';
const signing = (seed: string): string => `whsec_${bytesOf(seed).toString('base64')}`;

describe('a configuration for production', () => {
  test.each<readonly [string, Environment]>([
    ['with everything that is required', {}],
    ['with a restricted key of Stripe', { STRIPE_API_KEY: `rk_live_${hexOf('rk')}` }],
    ['with a short live key', { STRIPE_API_KEY: 'sk_live_4eC39HqLyjWDarjtT1zdp7dc' }],
    ['with the secret of the Stripe CLI', { STRIPE_WEBHOOK_SECRET: `whsec_${hexOf('cli')}` }],
    ['of an API without PUBLIC_URL', { ROLE: 'api', PUBLIC_URL: '' }],
    ['with STARTTLS', { SMTP_URL: 'smtp://u:p@mail.shop.example:587?requireTLS=true' }],
    ['with a database on this machine', { DATABASE_URL: 'postgresql://127.0.0.1/shop' }],
    ['with a database by name', { DATABASE_URL: 'postgres://localhost:5433/shop' }],
    ['with a socket', { DATABASE_URL: 'postgresql:///shop?host=/var/run/postgresql' }],
    ['with a required encryption', { DATABASE_URL: `${DATABASE}?sslmode=require` }],
    ['with a CA of its own', { DATABASE_URL: `${DATABASE}?sslrootcert=/etc/ca.pem` }],
    ['with ssl=true', { DATABASE_URL: `${DATABASE}?ssl=true` }],
    ['with PGSSLMODE', { DATABASE_URL: DATABASE, PGSSLMODE: 'verify-full' }],
    ['with Temporal on this machine', { TEMPORAL_ADDRESS: '127.0.0.1:7233' }],
    ['with Temporal over IPv6', { TEMPORAL_ADDRESS: '[::1]:7233' }],
    ['with TLS to Temporal', { TEMPORAL_ADDRESS: 'temporal:7233', TEMPORAL_TLS: 'true' }],
    ['with Temporal Cloud', { TEMPORAL_ADDRESS: 'x.tmprl.cloud:7233', TEMPORAL_API_KEY: 'key' }],
    ['with a collector on this machine', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }],
    ['with all ports', { PORT: '443', OPERATIONS_PORT: '65535', TRUSTED_PROXIES: '2' }],
  ])('a configuration %s is accepted', (_, change) => {
    expect(readAppConfig({ ...CONFIG, ...change }).NODE_ENV).toBe('production');
  });

  const REFUSED: readonly (readonly [variable: string, value: string, said: string])[] = [
    ['DATABASE_URL', 'mysql://shop:x@db.shop.example/shop', 'postgresql://'],
    ['DATABASE_URL', 'sqlite:shop.db', 'postgresql://'],
    ['DATABASE_URL', 'https://db.shop.example/shop', 'postgresql://'],
    ['DATABASE_URL', 'postgresql://db.shop.example:99999/shop', 'postgresql://'],
    ['DATABASE_URL', DATABASE, 'not be encrypted; add sslmode=verify-full'],
    ['DATABASE_URL', `${DATABASE}?sslmode=disable`, 'not be encrypted'],
    ['DATABASE_URL', `${DATABASE}?sslmode=allow`, 'not be encrypted'],
    ['DATABASE_URL', `${DATABASE}?sslmode=prefer`, 'not be encrypted'],
    ['DATABASE_URL', `${DATABASE}?ssl=false`, 'not be encrypted'],
    ['DATABASE_URL', `${DATABASE}?ssl=0`, 'not be encrypted'],
    ['DATABASE_URL', `${DATABASE}?sslmode=no-verify`, 'not be verified'],
    ['DATABASE_URL', `${DATABASE}?ssl=no-verify`, 'not be verified'],
    ['DATABASE_URL', `${DATABASE}?sslmode=require&uselibpqcompat=true`, 'not be verified'],
    ['DATABASE_URL', 'postgresql:///shop?host=10.0.0.7', 'not be encrypted'],
    ['DATABASE_URL', 'postgresql://localhost.shop.example/shop', 'not be encrypted'],
    [
      'DATABASE_URL',
      'postgresql://holdfast:holdfast@127.0.0.1:5433/holdfast',
      'a well-known password',
    ],
    ['DATABASE_URL', 'postgresql://postgres:postgres@localhost/shop', 'a well-known password'],
    ['ENCRYPTION_KEYS', ENCRYPTION_KEYS, 'words'],
    ['ENCRYPTION_KEYS', `k1:${Buffer.alloc(32).toString('base64')}`, 'too regular'],
    ['ENCRYPTION_KEYS', `k1:${Buffer.alloc(16, 1).toString('base64')}`, '32 bytes'],
    ['ENCRYPTION_KEYS', bytesOf('k').toString('base64'), 'an id, a colon'],
    ['ENCRYPTION_KEYS', 'k1:', 'an id, a colon'],
    ['ENCRYPTION_KEYS', '', 'required'],
    ['MAIL_FROM', '', 'required in production'],
    ['MAIL_FROM', 'Holdfast <orders@holdfast.example>', 'required in production'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0', 'verification of every certificate'],
    ['PUBLIC_URL', '', 'required by a worker'],
    ['PUBLIC_URL', 'http://checkout.shop.example', 'https://'],
    ['PUBLIC_URL', 'https://localhost:3000', "this machine's own address"],
    ['PUBLIC_URL', 'ftp://checkout.shop.example', 'must be a URL'],
    ['SHOP_ORDER_URL', 'http://shop.example/orders/{order_id}', 'https://'],
    ['SMTP_URL', 'smtp://mail.shop.example:25', 'sent in clear'],
    ['SMTP_URL', 'smtp://mail.shop.example?requireTLS=false', 'sent in clear'],
    ['SMTP_URL', 'smtp://mail.shop.example?requireTLS=true&ignoreTLS=true', 'sent in clear'],
    ['SMTP_URL', 'smtp://mail.shop.example?secure=true', 'sent in clear'],
    ['SMTP_URL', 'smtps://mail.shop.example?tls.rejectUnauthorized=false', 'not be verified'],
    ['SMTP_URL', 'smtp://127.0.0.1:1025', "this machine's own address"],
    ['SMTP_URL', 'http://mail.shop.example', 'smtps://'],
    ['STRIPE_API_KEY', LOCAL_SECRETS.stripeKey, 'published'],
    ['STRIPE_API_KEY', `sk_test_${hexOf('test')}`, 'a test key'],
    ['STRIPE_API_KEY', `rk_test_${hexOf('test')}`, 'a test key'],
    ['STRIPE_API_KEY', `pk_live_${hexOf('public')}`, 'not a secret key'],
    ['STRIPE_API_KEY', 'sk_live_', 'not a secret key'],
    ['STRIPE_API_KEY', 'sk', 'not a secret key'],
    ['STRIPE_API_URL', 'http://api.stripe.com', 'not be encrypted'],
    ['STRIPE_API_URL', 'http://127.0.0.1:4000', "this machine's own address"],
    ['STRIPE_API_URL', 'https://127.1:4000', "this machine's own address"],
    ['STRIPE_API_URL', 'https://[::1]:4000', "this machine's own address"],
    ['STRIPE_API_URL', 'https://sandbox.localhost', "this machine's own address"],
    ['STRIPE_API_URL', 'api.stripe.com', 'must be a URL'],
    ['STRIPE_WEBHOOK_SECRET', LOCAL_SECRETS.paymentsWebhook, 'published'],
    ['STRIPE_WEBHOOK_SECRET', 'whsec_AAAA', 'too short'],
    ['STRIPE_WEBHOOK_SECRET', `whsec_${'A'.repeat(32)}`, 'words'],
    ['STRIPE_WEBHOOK_SECRET', `whsec_${'0123456789'.repeat(4)}`, 'too regular'],
    ['STRIPE_WEBHOOK_SECRET', 'whsec_my_super_secret_value_2026', 'placeholder'],
    ['STRIPE_WEBHOOK_SECRET', hexOf('no prefix'), 'whsec_'],
    ['STRIPE_WEBHOOK_SECRET', `${PRODUCTION_CONFIG.STRIPE_WEBHOOK_SECRET},whsec_AAAA`, 'too short'],
    ['TEMPORAL_ADDRESS', 'temporal:7233', 'set TEMPORAL_TLS=true'],
    ['TEMPORAL_ADDRESS', '10.0.0.7:7233', 'set TEMPORAL_TLS=true'],
    ['TEMPORAL_ADDRESS', 'temporal:99999', 'a host and a port'],
    ['TEMPORAL_ADDRESS', 'http://temporal:7233', 'a host and a port'],
    ['TWILIO_API_URL', 'http://api.twilio.com', 'not be encrypted'],
    ['TWILIO_API_URL', 'http://127.0.0.1:4000', "this machine's own address"],
    ['WAREHOUSE_API_KEY', LOCAL_SECRETS.warehouseKey, 'published'],
    ['WAREHOUSE_API_KEY', 'key', 'too short'],
    ['WAREHOUSE_API_KEY', 'the-key-of-the-warehouse', 'words'],
    ['WAREHOUSE_CALLBACK_SECRET', LOCAL_SECRETS.warehouseCallback, 'published'],
    ['WAREHOUSE_CALLBACK_SECRET', 'whsec_AAAA', 'too short'],
    ['WAREHOUSE_CALLBACK_SECRET', `whsec_${Buffer.alloc(32).toString('base64')}`, 'too regular'],
    ['WAREHOUSE_CALLBACK_SECRET', 'whsec_no base64!', 'base64'],
    ['WAREHOUSE_URL', 'http://wms.shop.example', 'not be encrypted'],
    ['WAREHOUSE_URL', 'http://127.0.0.1:4000', "this machine's own address"],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://collector:4318', 'not be encrypted'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5', 'a number between 0 and 1'],
    ['PORT', '0', 'at least 1'],
    ['PORT', '65536', 'at most 65535'],
    ['OPERATIONS_PORT', '99999', 'at most 65535'],
    ['TRUSTED_PROXIES', '-1', 'at least 0'],
    ['ALLOW_UNSAFE', 'WAREHOUSE_CALLBACK_SECRET', 'must name some of'],
  ];
  test.each(REFUSED)('the setting %s=%s is refused in production', (variable, value, said) => {
    const lines = refusalOf({ ...CONFIG, [variable]: value });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`^ {2}${variable}: `));
    expect(lines[0]).toContain(said);
  });

  test('a refusal never repeats the value of a secret', () => {
    for (const [variable, value] of REFUSED.filter(([name]) =>
      /KEY|SECRET|DATABASE|SMTP/.test(name),
    )) {
      if (value.length < 12) continue;
      expect(messageOf({ ...CONFIG, [variable]: value })).not.toContain(value);
    }
  });

  test('all refused variables are in one message, each once, with how to accept what may be', () => {
    const worst: Environment = {
      NODE_ENV: 'production',
      DATABASE_URL: 'mysql://root:root@db.shop.example/shop',
      ENCRYPTION_KEYS,
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      PORT: 'http',
      PUBLIC_URL: 'http://127.0.0.1:3000',
      SMTP_URL: 'smtp://127.0.0.1:1025',
      STRIPE_API_KEY: 'sk_test_local',
      STRIPE_API_URL: 'http://127.0.0.1:4000',
      STRIPE_WEBHOOK_SECRET: 'whsec_AAAA',
      TEMPORAL_ADDRESS: 'temporal:7233',
      WAREHOUSE_API_KEY: 'local-warehouse-key',
      WAREHOUSE_CALLBACK_SECRET: LOCAL_SECRETS.warehouseCallback,
      WAREHOUSE_URL: 'http://wms.shop.example',
      XDG_CONFIG_HOME: '/nonexistent',
    };
    const [, ...lines] = messageOf(worst).split('\n');
    const hint = lines.pop() ?? '';
    const refused = Object.keys(worst).filter((name) => !/^(NODE_ENV|XDG_CONFIG_HOME)$/.test(name));
    expect(lines.map((line) => line.trim().split(': ')[0] ?? '').toSorted()).toEqual(
      [...refused, 'MAIL_FROM'].toSorted(),
    );
    expect(hint).toMatch(/ALLOW_UNSAFE=[A-Z_]+,/);
    expect(hint).not.toContain('SECRET');
  });

  test('a secret of two variables is refused, with or without its prefix', () => {
    const secret = signing('shared');
    expect(
      refusalOf({ ...CONFIG, STRIPE_WEBHOOK_SECRET: secret, WAREHOUSE_CALLBACK_SECRET: secret }),
    ).toEqual([expect.stringContaining('also in STRIPE_WEBHOOK_SECRET')]);
    const key = bytesOf('shared').toString('base64');
    expect(
      refusalOf({ ...CONFIG, ENCRYPTION_KEYS: `k:${key}`, WAREHOUSE_CALLBACK_SECRET: secret }),
    ).toEqual([expect.stringContaining('also in WAREHOUSE_CALLBACK_SECRET')]);
  });

  test('the published token of the SMS provider is refused, and one of your own accepted', () => {
    const sms = { TWILIO_ACCOUNT_SID: LOCAL_SECRETS.twilioAccountSid, TWILIO_FROM: '+15005550006' };
    const published = { ...sms, TWILIO_AUTH_TOKEN: LOCAL_SECRETS.twilioAuthToken };
    expect(refusalOf({ ...CONFIG, ...published })).toEqual([
      expect.stringContaining('TWILIO_AUTH_TOKEN: published'),
    ]);
    expect(refusalOf({ ...CONFIG, ...sms, TWILIO_AUTH_TOKEN: hexOf('token') })).toEqual([]);
  });

  test('no secret that is written in a file of this repository is accepted', () => {
    const literals = new Set(
      filesOf(PROJECT).flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(/whsec_[\w+/=]*/g)].map(([secret]) => secret),
      ),
    );
    expect(literals.size).toBeGreaterThan(5);
    for (const secret of literals) {
      for (const name of ['STRIPE_WEBHOOK_SECRET', 'WAREHOUSE_CALLBACK_SECRET']) {
        expect(messageOf({ ...CONFIG, [name]: secret })).toContain(`  ${name}: `);
      }
    }
  });

  test('a Temporal profile without TLS is refused, and a file that cannot be read is named', () => {
    const dir = join(makeDir('temporal'), 'temporalio');
    mkdirSync(dir, { recursive: true });
    const file = join(dir, 'temporal.toml');
    writeFileSync(file, '[profile.default]\naddress = "temporal.shop.example:7233"\n');
    const profile = { ...CONFIG, TEMPORAL_CONFIG_FILE: file };
    expect(refusalOf(profile)).toEqual([expect.stringContaining('TEMPORAL_ADDRESS: ')]);
    expect(readAppConfig({ ...profile, TEMPORAL_TLS: 'true' }).NODE_ENV).toBe('production');
    expect(refusalOf({ ...profile, TEMPORAL_TLS: 'false', TEMPORAL_API_KEY: 'key' })).toHaveLength(
      1,
    );
    writeFileSync(file, '[profile.default]\napi_key = "canary" no toml\n');
    expect(refusalOf(profile)).toEqual([expect.stringContaining('TEMPORAL_...: cannot be read')]);
    expect(messageOf(profile)).not.toContain('canary');
  });
});

describe('ALLOW_UNSAFE', () => {
  const UNSAFE: Environment = {
    DATABASE_URL: DATABASE,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    PUBLIC_URL: 'http://checkout.internal',
    SHOP_ORDER_URL: 'http://shop.internal/{order_id}',
    SMTP_URL: 'smtp://127.0.0.1:25',
    STRIPE_API_KEY: `sk_test_${hexOf('staging')}`,
    STRIPE_API_URL: 'http://stripe-mock:12111',
    TEMPORAL_ADDRESS: 'temporal:7233',
    TWILIO_API_URL: 'http://twilio-mock:8080',
    WAREHOUSE_API_KEY: 'short',
    WAREHOUSE_URL: 'http://127.0.0.1:8080',
  };

  test.each(Object.entries(UNSAFE))(
    'ALLOW_UNSAFE accepts %s=%s when it names it',
    (name, value) => {
      const change = { ...CONFIG, [name]: value };
      expect(refusalOf(change)).toEqual([expect.stringContaining(`${name}: `)]);
      expect(readAppConfig({ ...change, ALLOW_UNSAFE: name }).ALLOW_UNSAFE).toEqual([name]);
    },
  );

  test('ALLOW_UNSAFE accepts several variables and names each that it may name', () => {
    expect(Object.keys(UNSAFE).toSorted()).toEqual([...MAY_BE_UNSAFE].toSorted());
    const all = MAY_BE_UNSAFE.join(', ');
    const config = readAppConfig({ ...CONFIG, ...UNSAFE, ALLOW_UNSAFE: all });
    expect(config.ALLOW_UNSAFE).toEqual(MAY_BE_UNSAFE);
    expect(messageOf({ ...CONFIG, ALLOW_UNSAFE: 'NONE' })).toContain(all);
  });

  test('ALLOW_UNSAFE accepts no published secret, and no missing variable', () => {
    const published = { STRIPE_API_KEY: LOCAL_SECRETS.stripeKey };
    const missing = { PUBLIC_URL: '', ALLOW_UNSAFE: 'STRIPE_API_KEY PUBLIC_URL' };
    const lines = refusalOf({ ...CONFIG, ...published, ...missing });
    expect(lines.map((line) => line.trim().split(': ')[0])).toEqual([
      'PUBLIC_URL',
      'STRIPE_API_KEY',
    ]);
  });
});

/** The lines of the refusal that name a variable. */
function refusalOf(env: Environment): string[] {
  const lines = messageOf(env).split('\n');
  return lines.filter((line) => line.startsWith('  ')).toSorted();
}

function messageOf(env: Environment): string {
  try {
    readAppConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

function filesOf(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (/^(node_modules|\.git|\.holdfast|dist|generated)$/.test(entry.name)) return [];
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesOf(path);
    return /\.(ts|md|json|sql)$|^\.env/.test(entry.name) ? [path] : [];
  });
}
