/**
 * `npm run bench:start` beside a running stack: starts another app process, API and worker, and measures
 * the time from its spawn until it responds and until Temporal sees it poll the checkout task queue:
 * from then on it gets tasks. Prints the medians; exits with 1 when polling begins too late.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { readStackConfig } from '../../config.ts';
import { environmentBeside, loadAddresses } from '../../local/stack/addresses.ts';
import { hasEnded, launch, nodeCommand, stop } from '../../local/stack/commands.ts';
import { createHome } from '../../local/stack/home.ts';
import { freePort } from '../../local/stack/ports.ts';
import { TASK_QUEUE } from '../../workflows/checkout/contract.ts';
import { returnsOk } from '../http.ts';
import { percentile, print } from './load.ts';

const ROUNDS = 5;
const MAX_MS = 2_000;
const POLL_MS = 10;
const STOP_WITHIN_MS = 30_000;
/** temporal.api.enums.v1.TaskQueueType */
const WORKFLOW_TASKS = 1;

const home = createHome(readStackConfig().HOLDFAST_HOME);
const addresses = await loadAddresses(home);
const connection = await Connection.connect({ address: addresses.temporal });
const responds: number[] = [];
const polls: number[] = [];
for (let round = 1; round <= ROUNDS; round += 1) {
  const times = await measureStart();
  responds.push(times.respondsMs);
  polls.push(times.pollsMs);
  print(`round ${round}`, describe(times.respondsMs, times.pollsMs));
}
await connection.close();
print('median', describe(percentile(responds, 0.5), percentile(polls, 0.5)));
process.exitCode = percentile(polls, 0.5) <= MAX_MS ? 0 : 1;

async function measureStart() {
  const port = await freePort();
  const env = { ...environmentBeside(addresses), ROLE: 'all', PORT: String(port) };
  const startedMs = performance.now();
  const child = launch(nodeCommand('main.ts', [], env), { logFile: home.logFile('bench-start') });
  const since = async (isTrue: () => Promise<boolean>): Promise<number> => {
    while (!(await isTrue())) {
      if (hasEnded(child)) throw new Error(`it ended: ${home.logFile('bench-start')}`);
      await delay(POLL_MS);
    }
    return performance.now() - startedMs;
  };
  try {
    const [respondsMs, pollsMs] = await Promise.all([
      since(() => returnsOk(`http://127.0.0.1:${port}/livez`)),
      since(() => isPolledBy(`${child.pid}@`)),
    ]);
    return { respondsMs, pollsMs };
  } finally {
    await stop(child, { signal: 'SIGTERM', timeoutMs: STOP_WITHIN_MS });
  }
}

/** By the identity of the SDK's workers, `<pid>@<host>`. */
async function isPolledBy(identityStart: string): Promise<boolean> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace: addresses.temporalNamespace,
    taskQueue: { name: TASK_QUEUE },
    taskQueueType: WORKFLOW_TASKS,
  });
  return pollers?.some(({ identity }) => identity?.startsWith(identityStart)) === true;
}

function describe(respondsMs: number, pollsMs: number): string {
  return `responds after ${respondsMs.toFixed(0)} ms, polls after ${pollsMs.toFixed(0)} ms`;
}
