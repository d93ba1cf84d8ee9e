/**
 * `npm run stack -- stop|start|status [part]`: stops one part of the running stack and starts it
 * again. The stack does not restart a part while its marker file exists.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from './addresses.ts';
import type { Addresses } from './addresses.ts';
import { becomesTrue } from './commands.ts';
import { PART_NAMES, PRIVATE_FILE, createHome } from './home.ts';
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
  if (!isRunHere(part, addresses)) {
    say(`${part} is named by the environment and not run by the stack: it cannot ${verb} it.`);
    return 1;
  }
  return verb === 'stop' ? stopPart(home, part) : startPart(home, part);
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
    const text = isRunHere(part, addresses) ? running : 'external';
    say(`${part.padEnd(10)} ${text.padEnd(26)} ${where[part]}`);
  }
  return 0;
}

async function stopPart(home: Home, part: PartName): Promise<number> {
  writeFileSync(home.stoppedFile(part), '', { mode: PRIVATE_FILE });
  const pid = runningPart(home, part);
  if (pid !== null) await stopPid(pid, part);
  say(`${part} is stopped; start it with: npm run stack -- start ${part}`);
  return 0;
}

/** Waits for the process; the stack prints when it is ready. */
async function startPart(home: Home, part: PartName): Promise<number> {
  rmSync(home.stoppedFile(part), { force: true });
  const isStarted = await becomesTrue(async () => runningPart(home, part) !== null, {
    timeoutMs: START_TIMEOUT_MS,
    everyMs: 100,
  });
  say(isStarted ? `${part} is starting` : `${part} did not start: see ${home.logFile(part)}`);
  return isStarted ? 0 : 1;
}

function isRunHere(part: PartName, { ports }: Addresses): boolean {
  if (part === 'postgres') return ports.POSTGRES_PORT !== undefined;
  return part !== 'temporal' || ports.TEMPORAL_PORT !== undefined;
}
