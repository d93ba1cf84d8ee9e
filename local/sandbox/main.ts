/** Runs the sandbox as a process of its own. `--help` lists the options. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { JournalError } from './journal.ts';
import { CALLBACK_DELAY_MS, createSandbox } from './sandbox.ts';
import type { SandboxOptions } from './sandbox.ts';

const USAGE = `Usage: tsx local/sandbox/main.ts --warehouse-callback-secret <whsec_...>
  [--port 4000] [--smtp-port 1025] [--state <dir>]
  [--payments-webhook-url <url> --payments-webhook-secret <whsec_...>]
  [--callback-delay-ms ${CALLBACK_DELAY_MS}]`;

/** An option that cannot work, said in one sentence. */
class UsageError extends Error {}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const sandbox = await createSandbox(options);
  const armed = sandbox.faults.list().length;
  const faults = armed === 0 ? '' : `, ${armed} faults armed from before`;
  process.stdout.write(
    `sandbox listening on ${sandbox.url}, SMTP 127.0.0.1:${sandbox.smtpPort}${faults}\n`,
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      sandbox.close().then(() => process.exit(0), fail);
    });
  }
}

function readOptions(args: readonly string[]): SandboxOptions | null {
  const values = parse(args);
  if (values.help === true) return null;
  const secret = values['warehouse-callback-secret'];
  if (secret === undefined || !/^whsec_[A-Za-z0-9+/=]{32,}$/.test(secret)) {
    throw new UsageError('--warehouse-callback-secret must be whsec_ and at least 24 bytes base64');
  }
  const url = values['payments-webhook-url'];
  const webhookSecret = values['payments-webhook-secret'];
  if ((url === undefined) !== (webhookSecret === undefined)) {
    throw new UsageError('--payments-webhook-url and --payments-webhook-secret go together');
  }
  return {
    port: numberIn(values.port, '--port', 65_535),
    smtpPort: numberIn(values['smtp-port'], '--smtp-port', 65_535),
    callbackDelayMs: numberIn(values['callback-delay-ms'], '--callback-delay-ms', 3_600_000),
    warehouseCallbackSecret: secret,
    ...(values.state === undefined ? {} : { stateDir: values.state }),
    ...(url === undefined || webhookSecret === undefined
      ? {}
      : { paymentsWebhook: { url: urlIn(url), secret: webhookSecret } }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string', default: '4000' },
        'smtp-port': { type: 'string', default: '1025' },
        state: { type: 'string' },
        'payments-webhook-url': { type: 'string' },
        'payments-webhook-secret': { type: 'string' },
        'warehouse-callback-secret': { type: 'string' },
        'callback-delay-ms': { type: 'string', default: String(CALLBACK_DELAY_MS) },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'unreadable options');
  }
}

function numberIn(text: string, name: string, max: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text);
  throw new UsageError(`${name} must be a whole number from 0 to ${max}, not '${text}'`);
}

function urlIn(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new UsageError(`--payments-webhook-url must be an http(s) address, not '${text}'`);
}

function fail(error: unknown): void {
  process.stderr.write(`sandbox: ${sentenceOf(error)}\n`);
  process.exit(1);
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error) {
    return `port ${String(error.port)} on 127.0.0.1 is taken; choose another with --port or --smtp-port.`;
  }
  if (error instanceof JournalError) return error.message;
  return error instanceof UsageError
    ? `${error.message}.\n${USAGE}`
    : (error.stack ?? error.message);
}

main().catch(fail);
