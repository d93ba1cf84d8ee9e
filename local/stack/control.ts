/**
 * `npm run stack -- stop|start|status [part]`: stops one part of the running stack and starts it
 * again.
 */
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from './addresses.ts';
import type { Addresses } from './addresses.ts';
import { PART_NAMES, createHome } from './home.ts';
import type { Home, PartName } from './home.ts';
import { runningPart, runningStack } from './leftovers.ts';
import { say } from './output.ts';
import { isRunHere, startPart, stopPart } from './part-control.ts';

const USAGE = `Usage: npm run stack -- status
       npm run stack -- stop <${PART_NAMES.join('|')}>
       npm run stack -- start <${PART_NAMES.join('|')}>`;

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
  if (verb === 'stop') {
    await stopPart(home, part);
    say(`${part} is stopped; start it with: npm run stack -- start ${part}`);
    return 0;
  }
  const isStarted = await startPart(home, part);
  say(isStarted ? `${part} is starting` : `${part} did not start: see ${home.logFile(part)}`);
  return isStarted ? 0 : 1;
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
