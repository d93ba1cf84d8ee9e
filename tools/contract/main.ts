/**
 * `npm run contract -- --warehouse URL`: whether a warehouse does what docs/warehouse-contract.md says,
 * by calls as the shop sends them. It reserves and ships orders that it invents.
 */
import process from 'node:process';
import { openReceiver } from '../http-receiver.ts';
import { UsageError } from '../usage.ts';
import { checkContract, refuseFirst } from './checks.ts';
import { readOptions, USAGE } from './options.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    return 2;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const { callbackUrl, host, port, ...options } = readOptions(args);
  const receiver = await openReceiver({ host, port }, refuseFirst);
  try {
    const own = `http://${host}:${receiver.port}/callbacks/warehouse`;
    const context = { ...options, callbackUrl: callbackUrl ?? own, receiver };
    const results = await checkContract(context);
    for (const [index, { title, problem }] of results.entries()) {
      say(`${problem === null ? 'passed' : 'FAILED'}  ${index + 1}. ${title}`);
      if (problem !== null) say(`           ${problem}`);
    }
    if (options.restart === null) {
      say('The last check cut the connection only. To kill the warehouse there: --restart COMMAND');
    }
    return results.every(({ problem }) => problem === null) ? 0 : 1;
  } finally {
    receiver.close();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
