/** Runs the sandbox as a process of its own; see USAGE. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { shopSite } from '../shop/site.ts';
import { JournalError } from './journal.ts';
import { CALLBACK_DELAY_MS, createSandbox } from './sandbox.ts';
import type { SandboxOptions } from './sandbox.ts';

const USAGE = `Usage: tsx local/sandbox/main.ts --warehouse-callback-secret <whsec_...>
  [--port 4000] [--smtp-port 1025] [--state <dir>]
  [--payments-webhook-url <url> --payments-webhook-secret <whsec_...>]
  [--callback-delay-ms ${CALLBACK_DELAY_MS}]
  [--api-url <url> --storefront-key <key>]   the demo shop at /shop
  [--temporal-ui-url <url> --temporal-namespace <name>]   its links to workflows`;

const port = z.coerce.number().int().min(0).max(65_535);
const webUrl = z.url({ protocol: /^https?$/ });
const schema = z
  .object({
    port: port.default(4000),
    'smtp-port': port.default(1025),
    state: z.string().optional(),
    'payments-webhook-url': webUrl.optional(),
    'payments-webhook-secret': z.string().optional(),
    'warehouse-callback-secret': z.string().regex(/^whsec_[A-Za-z0-9+/=]{32,}$/),
    'api-url': webUrl.optional(),
    'storefront-key': z.string().min(1).optional(),
    'temporal-ui-url': webUrl.optional(),
    'temporal-namespace': z.string().min(1).default('default'),
    'callback-delay-ms': z.coerce.number().int().min(0).max(3_600_000).default(CALLBACK_DELAY_MS),
  })
  .refine((each) => !each['payments-webhook-url'] === !each['payments-webhook-secret'], {
    error: '--payments-webhook-url and --payments-webhook-secret go together',
  })
  .refine((each) => !each['api-url'] === !each['storefront-key'], {
    error: '--api-url and --storefront-key go together',
  });

class UsageError extends Error {}

async function main(): Promise<void> {
  const sandbox = await createSandbox(readOptions(process.argv.slice(2)));
  const armed = sandbox.faults.list().length;
  const faults = armed === 0 ? '' : `, ${armed} faults are armed from an earlier run`;
  process.stdout.write(
    `sandbox listening on ${sandbox.url}, SMTP 127.0.0.1:${sandbox.smtpPort}${faults}\n`,
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      sandbox.close().then(() => process.exit(0), fail);
    });
  }
}

function readOptions(args: readonly string[]): SandboxOptions {
  const parsed = schema.safeParse(parse(args));
  if (!parsed.success) throw new UsageError(z.prettifyError(parsed.error));
  const { port: httpPort, state, ...values } = parsed.data;
  const url = values['payments-webhook-url'];
  const secret = values['payments-webhook-secret'];
  return {
    port: httpPort,
    smtpPort: values['smtp-port'],
    callbackDelayMs: values['callback-delay-ms'],
    warehouseCallbackSecret: values['warehouse-callback-secret'],
    ...(state !== undefined && { stateDir: state }),
    ...(url !== undefined && secret !== undefined && { paymentsWebhook: { url, secret } }),
    ...shopIn(values),
  };
}

/** The demo shop, when there is an API for it. */
function shopIn(values: Partial<z.output<typeof schema>>): Partial<SandboxOptions> {
  const { 'api-url': apiUrl, 'storefront-key': storefrontKey } = values;
  if (apiUrl === undefined || storefrontKey === undefined) return {};
  const { 'temporal-ui-url': url, 'temporal-namespace': namespace = 'default' } = values;
  const temporalUi = url === undefined ? null : { url, namespace };
  return shopSite({ apiUrl, storefrontKey, temporalUi });
}

function parse(args: readonly string[]): object {
  const names = Object.keys(schema.shape);
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }] as const));
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'unreadable options');
  }
}

function fail(error: unknown): void {
  process.stderr.write(`sandbox: ${explain(error)}\n`);
  process.exit(1);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error) {
    return `port ${String(error.port)} on 127.0.0.1 is in use; choose another with --port or --smtp-port.`;
  }
  if (error instanceof UsageError) return `${error.message}\n${USAGE}`;
  return error instanceof JournalError ? error.message : (error.stack ?? error.message);
}

main().catch(fail);
