/**
 * `npm run doctor`: is the configuration right? With `--stripe` also the Stripe account that it names,
 * by reads alone. `--events` prints the events of the webhook endpoint, and needs no account.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ConfigError, readStripeConfig } from '../../config.ts';
import { exitWith, UsageError, usageChecked } from '../usage.ts';
import { printedEvents } from './events.ts';
import { exitCodeOf, lineOf, type Finding } from './finding.ts';
import { checkStripe } from './stripe.ts';

const USAGE = `Usage: npm run doctor [-- --stripe | --events]
                the configuration as the start reads it, the database, its migrations, Temporal
  --stripe      the account of STRIPE_API_KEY: key, permissions, webhook endpoint; it only reads
  --events      prints the events of the webhook endpoint, and the command that creates it
Exit code: 0 no check failed, 1 one failed, 2 the command line or the configuration is wrong,
3 none failed, but Stripe did not answer one.`;

exitWith(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (error instanceof ConfigError) return complain(error.message);
    if (error instanceof UsageError) return complain(`${error.message}\n${USAGE}`);
    throw error;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const options = { stripe: { type: 'boolean' }, events: { type: 'boolean' } } as const;
  const { values } = usageChecked(() => parseArgs({ args: [...args], options }));
  if (values.stripe && values.events) throw new UsageError('Give --stripe or --events, not both.');
  if (values.events) {
    say(printedEvents(readStripeConfig().PUBLIC_URL));
    return 0;
  }
  return report(values.stripe ? await checkAccount() : await checkAll());
}

async function checkAccount(): Promise<readonly Finding[]> {
  const config = readStripeConfig();
  const { STRIPE_API_KEY: apiKey } = config;
  if (apiKey === undefined) throw new UsageError('--stripe needs STRIPE_API_KEY.');
  return checkStripe({
    apiKey,
    apiUrl: config.STRIPE_API_URL,
    publicUrl: config.PUBLIC_URL,
    webhookSecrets: config.STRIPE_WEBHOOK_SECRET ?? [],
  });
}

/** Imported here: it loads Temporal's client, which the other two do without. */
async function checkAll(): Promise<readonly Finding[]> {
  const { checkConfiguration } = await import('./configuration.ts');
  return checkConfiguration();
}

function report(findings: readonly Finding[]): number {
  for (const finding of findings) say(lineOf(finding));
  return exitCodeOf(findings);
}

function complain(text: string): number {
  process.stderr.write(`${text}\n`);
  return 2;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
