/**
 * `npm run stack -- stop|start|status [part]`: takes one part of the running stack down for as long
 * as a person likes, and brings it back. The stack sees the marker file and leaves the part alone.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from './addresses.ts';
import type { Addresses } from './addresses.ts';
import { becomesTrue } from './commands.ts';
import { PART_NAMES, createHome } from './home.ts';
import type { Home, PartName } from './home.ts';
import { runningPart, runningStack, stopPid } from './leftovers.ts';
import { say } from './output.ts';

const USAGE = `Usage: npm run stack -- status
       npm run stack -- stop <${PART_NAMES.join('|')}>
       npm run stack -- start <${PART_NAMES.join('|')}>`;
const START_TIMEOUT_MS = 60_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const [verb, name] = args;
  const part = PART_NAMES.find((candidate) => candidate === name);
  const home = createHome(readStackConfig().HOLDFAST_HOME);
  if (runningStack(home) === null) {
    say(`No stack is running on ${home.path}: npm start`);
    return 1;
  }
  const addresses = await loadAddresses(home);
  if (verb === 'status' && name === undefined) return status(home, addresses);
  if (part === undefined || (verb !== 'stop' && verb !== 'start')) {
    say(USAGE);
    return 2;
  }
  if (!isOurs(part, addresses)) {
    say(`${part} was given to the stack by the environment: it is not the stack's to ${verb}.`);
    return 1;
  }
  return verb === 'stop' ? takeDown(home, part) : bringBack(home, part);
}

function status(home: Home, addresses: Addresses): number {
  const where: Record<PartName, string> = {
    postgres: new URL(addresses.databaseUrl).host,
    temporal: addresses.temporal,
    sandbox: addresses.sandbox,
    app: addresses.api,
  };
  for (const part of PART_NAMES) {
    const pid = runningPart(home, part);
    const running = pid === null ? 'down' : `running (process ${pid})`;
    const text = isOurs(part, addresses) ? running : 'not started here';
    say(`${part.padEnd(10)} ${text.padEnd(26)} ${where[part]}`);
  }
  return 0;
}

async function takeDown(home: Home, part: PartName): Promise<number> {
  writeFileSync(home.stoppedFile(part), '');
  const pid = runningPart(home, part);
  if (pid !== null) await stopPid(pid, part);
  say(`${part} is down; npm run stack -- start ${part} brings it back`);
  return 0;
}

/** Waits for the process; the stack itself says when it is ready. */
async function bringBack(home: Home, part: PartName): Promise<number> {
  rmSync(home.stoppedFile(part), { force: true });
  const isBack = await becomesTrue(async () => runningPart(home, part) !== null, {
    timeoutMs: START_TIMEOUT_MS,
    everyMs: 100,
  });
  say(isBack ? `${part} is starting` : `${part} did not start: see ${home.logFile(part)}`);
  return isBack ? 0 : 1;
}

function isOurs(part: PartName, { ports }: Addresses): boolean {
  if (part === 'postgres') return ports.POSTGRES_PORT !== undefined;
  return part !== 'temporal' || ports.TEMPORAL_PORT !== undefined;
}
