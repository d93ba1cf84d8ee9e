/**
 * `npm run audit` beside a running stack, or with DATABASE_URL and TEMPORAL_ADDRESS: checks every
 * invariant. Exits with 1 when one is violated, with 2 when one could not be checked.
 */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { readStackConfig } from '../../config.ts';
import { exitWith, UsageError } from '../usage.ts';
import { parseAcknowledged } from './acknowledged.ts';
import { audit } from './audit.ts';
import { findPlaces, readOptions, USAGE } from './options.ts';
import { exitCodeOf, jsonReport, textReport } from './report.ts';

/** A server that hangs in spite of every time limit must not hang the caller. */
const OVERTIME_MS = 15_000;

try {
  exitWith(await main(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n${USAGE}\n`);
  exitWith(2);
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  const places = await findPlaces(readStackConfig(), options);
  const acknowledged =
    options.acked === undefined ? null : parseAcknowledged(await readText(options.acked));
  const overdue = setTimeout(() => {
    process.stderr.write(`The audit did not finish within ${options.timeoutMs / 1_000} s.\n`);
    process.exit(2);
  }, options.timeoutMs + OVERTIME_MS);
  const results = await audit({ ...options, places, acknowledged });
  clearTimeout(overdue);
  process.stdout.write(`${options.json ? jsonReport(results) : textReport(results)}\n`);
  return exitCodeOf(results);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--acked: ${error instanceof Error ? error.message : String(error)}`);
  }
}
