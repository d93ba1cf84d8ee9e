/**
 * What `npm run bench:peers` measures: how each contender is started where the stack's app was, and
 * stopped. Peers get a copy of the stack's database, so that none finds what another left, and the
 * app does not continue their orders.
 */
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { environment } from '../../config.ts';
import { environmentBeside, loadAddresses, type Addresses } from '../../local/stack/addresses.ts';
import { becomesTrue, nodeCommand, run, type Command } from '../../local/stack/commands.ts';
import { createHome, PROJECT, type Home, type PartName } from '../../local/stack/home.ts';
import { runningPart } from '../../local/stack/leftovers.ts';
import { createDatabase, dropDatabase } from '../../local/stack/postgres.ts';
import { CHECKOUT_WORKFLOW } from '../../workflows/checkout/contract.ts';
import { returnsOk } from '../http.ts';
import { launchLogged } from './launch.ts';
import { print } from './load.ts';
import { stockShop } from './shop.ts';
import { devServerMetrics } from './temporal-meter.ts';
import { startTemporalOnPostgres } from './temporal-postgres.ts';

export const PEERS = join(import.meta.dirname, 'peers');
const START_WITHIN_MS = 90_000;
const ANSWER_WITHIN_MS = 30_000;

export interface Contender {
  readonly name: string;
  /** Throws when it does not start. It may still need a moment until it serves. */
  start(): Promise<Running>;
}

export interface Running {
  /** Of the Temporal server. Throws when there is none. */
  metricsUrl(): Promise<string>;
  readonly addresses: Addresses;
  /** The type of its workflows, when it runs on Temporal. */
  readonly workflowType: string | null;
  /** The process of a part that works for it; null when none does. */
  pidOf(part: PartName): number | null;
  isAlive(): boolean;
  /** The last line of its log that names an error; empty without one. */
  lastError(): string;
  stop(): Promise<void>;
}

interface Stack {
  readonly home: Home;
  readonly addresses: Addresses;
}

/** What to measure beside Holdfast and the peers. */
export interface Additions {
  /** The folder of another checkout. */
  readonly other: string | undefined;
  /** The program of another Node. */
  readonly node: string | undefined;
  /** Holdfast with PostgreSQL as the store of Temporal. */
  readonly onPostgres: boolean;
}

/** Holdfast first. */
export async function listContenders(
  stack: Stack,
  { other, node, onPostgres }: Additions,
): Promise<readonly Contender[]> {
  const peer = (name: string, id: string, workflowType: string | null = null): Contender => ({
    name,
    start: () => startPeer(stack, id, workflowType),
  });
  return [
    { name: 'Holdfast', start: () => startHoldfast(stack) },
    ...(other === undefined ? [] : [await otherCheckout(stack, resolve(other))]),
    ...(node === undefined ? [] : [await onOtherNode(stack, resolve(node))]),
    ...(onPostgres
      ? [{ name: 'Holdfast on Temporal in PostgreSQL', start: () => startOnPostgres(stack) }]
      : []),
    peer('bare Hono handler', 'bare'),
    peer('graphile-worker', 'graphile'),
    peer('Restate', 'restate'),
    peer('DBOS Transact', 'dbos'),
    peer('plain Temporal saga', 'temporal', 'plainCheckout'),
  ];
}

interface Variant {
  readonly program?: string;
  readonly own?: Readonly<Record<string, string>>;
}

async function startHoldfast(
  stack: Stack,
  { program = process.execPath, own = {} }: Variant = {},
): Promise<Running> {
  const env = { ...environmentBeside(stack.addresses), ROLE: 'all', ...own };
  const command = { ...nodeCommand('main.ts', ['--home', stack.home.path], env), file: program };
  return runApp(stack, { command, id: 'holdfast', workflowType: CHECKOUT_WORKFLOW });
}

async function onOtherNode(stack: Stack, program: string): Promise<Contender> {
  const version = await run(
    { file: program, args: ['--version'] },
    { timeoutMs: ANSWER_WITHIN_MS },
  );
  return {
    name: `Holdfast on Node ${version.trim().slice(1)}`,
    start: () => startHoldfast(stack, { program }),
  };
}

async function startOnPostgres(stack: Stack): Promise<Running> {
  const say = (line: string): void => print('Temporal', line);
  const server = await startTemporalOnPostgres({ ...stack, say });
  const addresses = { ...stack.addresses, temporal: server.address };
  const own = { TEMPORAL_ADDRESS: server.address };
  const app = await startHoldfast({ ...stack, addresses }, { own });
  return {
    ...app,
    metricsUrl: async () => server.metricsUrl,
    pidOf: (part) => (part === 'temporal' ? server.pid : app.pidOf(part)),
    async stop() {
      await app.stop();
      await server.stop();
    },
  };
}

async function startPeer(
  { home, addresses }: Stack,
  id: string,
  workflowType: string | null,
): Promise<Running> {
  const copy = new URL(addresses.databaseUrl);
  const original = decodeURIComponent(copy.pathname.slice(1));
  copy.pathname = `/${original}_peer`;
  await dropDatabase(copy.href);
  await createDatabase(copy.href, original);
  const command = {
    file: process.execPath,
    args: ['--import', 'tsx', join(PEERS, 'app.ts'), id],
    cwd: PROJECT,
    env: { ...environmentBeside(addresses), DATABASE_URL: copy.href, ROLE: 'api' },
  };
  const stack = { home, addresses: { ...addresses, databaseUrl: copy.href } };
  return runApp(stack, { command, id, workflowType });
}

function runApp(
  { home, addresses }: Stack,
  { command, id, workflowType }: { command: Command; id: string; workflowType: string | null },
): Running {
  const started = launchLogged(command, home.logFile(`bench-${id}`));
  return {
    ...started,
    metricsUrl: () => devServerMetrics(home),
    addresses,
    workflowType,
    pidOf(part) {
      if (part === 'app') return started.child.pid ?? null;
      return part === 'temporal' && workflowType === null ? null : runningPart(home, part);
    },
  };
}

/** The other checkout's `npm start` in a folder of its own: its schema may be another. */
async function otherCheckout({ home }: Stack, folder: string): Promise<Contender> {
  const git = ['-C', folder, 'rev-parse', '--short', 'HEAD'];
  const commit = await run({ file: 'git', args: git }, { timeoutMs: ANSWER_WITHIN_MS });
  const own = createHome(join(home.path, 'other'));
  return {
    name: `Holdfast at ${commit.trim()}`,
    async start() {
      rmSync(own.path, { recursive: true, force: true });
      const args = ['--import', 'tsx', 'local/stack/start.ts'];
      const env = { ...environment(), HOLDFAST_HOME: own.path };
      const command = { file: process.execPath, args, cwd: folder, env };
      const started = launchLogged(command, home.logFile('bench-other'));
      const isUp = async (): Promise<boolean> =>
        existsSync(own.stackFile) && returnsOk(`${(await loadAddresses(own)).api}/readyz`);
      const limits = { timeoutMs: START_WITHIN_MS, everyMs: 200, alive: started.isAlive };
      if (!(await becomesTrue(isUp, limits))) {
        await started.stop();
        throw new Error(`it does not start: ${started.lastError()}`);
      }
      const addresses = await loadAddresses(own);
      await stockShop(addresses.api);
      const pidOf = (part: PartName) => runningPart(own, part);
      const metricsUrl = () => devServerMetrics(own);
      return { ...started, metricsUrl, addresses, workflowType: CHECKOUT_WORKFLOW, pidOf };
    },
  };
}
