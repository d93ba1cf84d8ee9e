import { readFile } from 'node:fs/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createLog } from '../../telemetry/logging.ts';
import { startWorker } from '../../worker/worker.ts';
import { createAppProcess, providersEnv, type AppProcess } from '../support/app-process.ts';
import { createTestDatabase } from '../support/database.ts';
import { startDevServer } from '../support/dev-server.ts';
import { useOpened } from '../support/use-opened.ts';
import { eventually } from '../support/eventually.ts';
import { openNamespace } from '../support/temporal.ts';

const WARN = 40;
/** One worker each: checkouts, events, jobs. */
const TASK_QUEUES = 3;

const server = useOpened(() => startDevServer());

test('an outage of Temporal is logged once as a warning and its end once, all in JSON', async () => {
  const app = await startApp();
  const logged = async (text: string) =>
    (await linesOf(app)).filter(({ msg }) => msg.includes(text));
  const running = async () => (await linesOf(app)).filter(({ state }) => state === 'RUNNING');
  await eventually(async () => expect(await running()).toHaveLength(TASK_QUEUES));
  await server.halt();
  await eventually(async () => expect(await logged('Temporal is unavailable')).toHaveLength(1));
  await server.resume();
  await eventually(async () => expect(await logged('Temporal is available again')).toHaveLength(1));
  const warnings = (await linesOf(app)).filter(({ level }) => level >= WARN);
  // A busy machine may log a slow /readyz request as a warning.
  expect(warnings.map(({ msg }) => msg).filter((msg) => msg !== 'request')).toEqual([
    'Temporal is unavailable; orders are still accepted',
  ]);
  expect((await fetch(`${app.url}/readyz`)).status).toBe(200);
});

test('a worker started during an outage of Temporal polls once it is back and logs no warning', async () => {
  const { connection, namespace, close } = await openNamespace(server.address);
  onTestFinished(close);
  const lines: string[] = [];
  await server.halt();
  const worker = startWorker({
    connected: async () => connection,
    namespace,
    taskQueue: 'checkouts',
    activities: { async nothing() {} },
    maxConcurrentActivities: 1,
    workflowBundle: inject('workflowBundle'),
    log: createLog('warn', { write: (line) => void lines.push(line) }),
  });
  await server.resume();
  await eventually(async () => {
    const taskQueue = { name: 'checkouts' };
    const request = { namespace, taskQueue, taskQueueType: 1 } as const;
    const { pollers } = await connection.workflowService.describeTaskQueue(request);
    expect(pollers).not.toHaveLength(0);
  });
  await worker.stop();
  expect(lines).toEqual([]);
});

async function startApp(): Promise<AppProcess> {
  const database = await createTestDatabase();
  const own = { DATABASE_URL: database.url, TEMPORAL_ADDRESS: server.address, LOG_LEVEL: 'info' };
  const app = await createAppProcess({ name: 'main', env: { ...providersEnv(null), ...own } });
  onTestFinished(async () => {
    await app.stop();
    await database.close();
  });
  await app.start();
  return app;
}

interface Line {
  readonly level: number;
  readonly msg: string;
  /** Of a worker. */
  readonly state?: string;
}

/** Throws on a line that is not JSON. */
async function linesOf(app: AppProcess): Promise<Line[]> {
  const lines = (await readFile(app.logFile, 'utf8')).trimEnd().split('\n');
  return lines.map((line): Line => JSON.parse(line));
}
