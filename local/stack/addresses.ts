/**
 * The addresses of one running stack: chosen once at the start, kept in stack.json for other
 * commands, and turned into the app's environment. The providers are always the sandbox's: a local
 * run must not use a live key of the user's shell.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { environment, type Environment, type StackConfig } from '../../config.ts';
import { LOCAL_SECRETS } from '../../config/production.ts';
import { withoutTemporal } from '../../config/temporal.ts';
import { localEncryptionKey, PRIVATE_FILE, type Home } from './home.ts';
import { choosePorts } from './ports.ts';
import { postgresUrl } from './postgres.ts';

const portSchema = z.number().int();

const addressesSchema = z.object({
  pid: z.number().int(),
  ports: z.object({
    PORT: portSchema,
    SANDBOX_PORT: portSchema,
    SMTP_PORT: portSchema,
    /** Absent where the environment names a server and none is started. */
    POSTGRES_PORT: portSchema.optional(),
    TEMPORAL_PORT: portSchema.optional(),
    TEMPORAL_UI_PORT: portSchema.optional(),
  }),
  api: z.string(),
  sandbox: z.string(),
  temporal: z.string(),
  temporalNamespace: z.string(),
  temporalUi: z.string().optional(),
  databaseUrl: z.string(),
  /** Overrides the environment of the process that starts the app: see environmentBeside. */
  environment: z.record(z.string(), z.string()),
});

export type Addresses = z.infer<typeof addressesSchema>;

/** Chooses the ports. `moved` has a message for each default port in use. The home must exist. */
export async function chooseAddresses(
  config: StackConfig,
  home: Home,
): Promise<{ readonly addresses: Addresses; readonly moved: readonly string[] }> {
  const ownPostgres = config.DATABASE_URL === undefined;
  const ownTemporal = config.TEMPORAL_ADDRESS === undefined;
  const chosen = await choosePorts([
    { variable: 'PORT', defaultPort: 3000, requested: config.PORT },
    { variable: 'SANDBOX_PORT', defaultPort: 4000, requested: config.SANDBOX_PORT },
    { variable: 'SMTP_PORT', defaultPort: 1025, requested: config.SMTP_PORT },
    ...(ownPostgres
      ? [{ variable: 'POSTGRES_PORT', defaultPort: 5433, requested: config.POSTGRES_PORT }]
      : []),
    ...(ownTemporal
      ? [
          { variable: 'TEMPORAL_PORT', defaultPort: 7233, requested: config.TEMPORAL_PORT },
          { variable: 'TEMPORAL_UI_PORT', defaultPort: 8233, requested: config.TEMPORAL_UI_PORT },
        ]
      : []),
  ]);
  const ports = addressesSchema.shape.ports.parse(
    Object.fromEntries(chosen.map(({ variable, port }) => [variable, port])),
  );
  const moved = chosen
    .filter((port) => port.insteadOf !== undefined)
    .map(({ variable, port, insteadOf }) => `port ${insteadOf} is in use: ${variable} is ${port}`);
  const places = locate(config, ports);
  return { addresses: { ...places, environment: appEnvironment(places, home) }, moved };
}

/** Writes stack.json; it has keys and perhaps a password, so only its owner may read it. */
export async function saveAddresses(home: Home, addresses: Addresses): Promise<void> {
  await writeFile(home.stackFile, `${JSON.stringify(addresses, null, 2)}\n`, {
    mode: PRIVATE_FILE,
  });
}

/** Reads stack.json. Throws when no stack has run on this home. */
export async function loadAddresses(home: Home): Promise<Addresses> {
  return addressesSchema.parse(JSON.parse(await readFile(home.stackFile, 'utf8')));
}

/**
 * The environment of an app beside the stack: that of this process, overridden by the stack. With a Temporal
 * of the stack's own no setting of another one is left: TLS or an API key would not connect to it.
 */
export function environmentBeside(
  { ports, environment: fromStack }: Addresses,
  own: Environment = environment(),
): Environment {
  return { ...(ports.TEMPORAL_PORT === undefined ? own : withoutTemporal(own)), ...fromStack };
}

function locate(config: StackConfig, ports: Addresses['ports']): Omit<Addresses, 'environment'> {
  const { POSTGRES_PORT, TEMPORAL_PORT, TEMPORAL_UI_PORT } = ports;
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  return {
    pid: process.pid,
    ports,
    api: url(ports.PORT),
    sandbox: url(ports.SANDBOX_PORT),
    temporal: config.TEMPORAL_ADDRESS ?? `127.0.0.1:${TEMPORAL_PORT}`,
    temporalNamespace: config.TEMPORAL_NAMESPACE,
    ...(TEMPORAL_UI_PORT !== undefined && { temporalUi: url(TEMPORAL_UI_PORT) }),
    databaseUrl: config.DATABASE_URL ?? postgresUrl(POSTGRES_PORT ?? 0, 'holdfast'),
  };
}

function appEnvironment(
  places: Omit<Addresses, 'environment'>,
  home: Home,
): Addresses['environment'] {
  return {
    NODE_ENV: 'development',
    HOST: '127.0.0.1',
    PORT: String(places.ports.PORT),
    PUBLIC_URL: places.api,
    DATABASE_URL: places.databaseUrl,
    TEMPORAL_ADDRESS: places.temporal,
    TEMPORAL_NAMESPACE: places.temporalNamespace,
    SANDBOX_URL: places.sandbox,
    SHOP_ORDER_URL: `${places.sandbox}/shop/orders/{order_id}`,
    ...(places.temporalUi !== undefined && { TEMPORAL_UI_URL: places.temporalUi }),
    WORKFLOW_BUNDLE: home.workflowBundle,
    ENCRYPTION_KEYS: localEncryptionKey(home),
    STRIPE_API_URL: places.sandbox,
    STRIPE_API_KEY: LOCAL_SECRETS.stripeKey,
    STRIPE_WEBHOOK_SECRET: LOCAL_SECRETS.paymentsWebhook,
    WAREHOUSE_URL: places.sandbox,
    WAREHOUSE_API_KEY: LOCAL_SECRETS.warehouseKey,
    WAREHOUSE_CALLBACK_SECRET: LOCAL_SECRETS.warehouseCallback,
    TWILIO_API_URL: places.sandbox,
    TWILIO_ACCOUNT_SID: LOCAL_SECRETS.twilioAccountSid,
    TWILIO_AUTH_TOKEN: LOCAL_SECRETS.twilioAuthToken,
    TWILIO_FROM: '+15005550006',
    SMTP_URL: `smtp://127.0.0.1:${places.ports.SMTP_PORT}`,
  };
}
