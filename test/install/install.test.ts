import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PATTERNS } from '../../tools/demo/patterns.ts';
import { WORK } from '../../tools/demo/work.ts';
import { eventually } from '../support/eventually.ts';
import {
  copyCheckout,
  processesOf,
  runIn,
  startIn,
  which,
  type Checkout,
  type Started,
} from './checkout.ts';

const TIMEOUT_MS = 300_000;
const IS_ROOT = process.getuid?.() === 0;
/** `nobody`, a user without a home directory. */
const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] as const;
/** The SDK's warning of a workflow task that took seconds: it says how busy the machine is. */
const SLOW_TASK = /^.*WARN: \[TMPRL1104\].*$/gm;
const ONE_FILE = 'test/prisma/stock.test.ts';

const STRICT = {
  through: ['sh', '-c', 'umask 077 && exec "$@"', 'sh'],
  // A probe that comes sooner, so that the demo of the circuit breaker waits less.
  env: { CI: 'true', BREAKER_PROBE_AFTER_MS: '3000' },
};

/** Where the SDK downloads its servers from does not respond; loopback does. */
const OFFLINE = `const { fetch } = globalThis;
globalThis.fetch = async (...args) => {
  if (String(args[0]).includes('temporal.download')) throw new TypeError('offline');
  return fetch(...args);
};`;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const each of cleanups.splice(0).toReversed()) await each();
});

/** Copied once: a copy is a gigabyte. The first test finds it as `npm ci` left it. */
let checkout: Checkout;
beforeAll(async () => {
  checkout = await copyCheckout('Käse und Brot');
}, TIMEOUT_MS);
afterAll(() => checkout?.remove(), TIMEOUT_MS);

async function start(...args: Parameters<typeof startIn>): Promise<Started> {
  const stack = await startIn(...args);
  cleanups.push(stack.stop);
  return stack;
}

/** Files of holdfast and its servers in the folder for temporary files. */
function temporaryFiles(): string[] {
  return readdirSync(tmpdir()).filter((name) => /holdfast|temporal/.test(name));
}

describe.runIf(process.platform === 'linux')('npm start and npm test', () => {
  test(
    'both work in a closed folder with a strict umask, without input and beside a second user, pass every demo, and leave nothing running',
    async () => {
      const { path: copy } = checkout;
      const before = temporaryFiles();
      const stack = await start(copy, STRICT);
      expect(await stack.order()).toBe('shipped');
      expect(stack.output().replaceAll(SLOW_TASK, '')).not.toContain('WARN');
      await expectDemos(copy);
      expect(await stack.order()).toBe('shipped');
      if (IS_ROOT) await expectSecond();
      await stack.stop();
      await eventually(() => expect(stack.output()).toMatch(/stopped\n$/));
      const tests = await runIn(copy, ['npm', 'test', '--', ONE_FILE], STRICT);
      expect(tests.output).toMatch(/Tests .*passed/);
      expect(tests.code).toBe(0);
      expect(existsSync(join(copy, '.holdfast', 'postgres', 'PG_VERSION'))).toBe(true);
      expect(readdirSync(join(copy, '.holdfast', 'tests'))).toEqual([]);
      expect(processesOf(copy)).toEqual([]);
      expect(temporaryFiles()).toEqual(before);
    },
    3 * TIMEOUT_MS,
  );

  test(
    'both print one sentence about what is missing when there is no Temporal server',
    async () => {
      const { path: copy } = checkout;
      await rm(join(copy, '.holdfast'), { recursive: true });
      // Node and a shell; no Temporal, Go, Maven or Java, an empty cache, and no download.
      const bin = join(copy, 'bin');
      await mkdir(bin);
      for (const program of ['node', 'npm', 'sh', 'setpriv', 'id', 'env']) {
        await symlink(await which(program), join(bin, program));
      }
      const offline = join(copy, 'offline.mjs');
      await writeFile(offline, OFFLINE);
      const NODE_OPTIONS = `--import=${pathToFileURL(offline).href}`;
      const bare = { env: { PATH: bin, XDG_CACHE_HOME: join(copy, 'cache'), NODE_OPTIONS } };
      const started = await runIn(copy, ['npm', 'start'], bare);
      expect(started.code).toBe(1);
      expect(started.output).toMatch(
        /There is no Temporal server: .*PATH.*Go 1\.23\+.*TEMPORAL_ADDRESS/,
      );
      const tests = await runIn(copy, ['npm', 'test'], bare);
      expect(tests.code).toBe(1);
      expect(tests.output).toMatch(/The tests cannot start\. .*Install Java 11\+ and Maven/);
      expect(tests.output).not.toMatch(/Test Files|cells:/);
    },
    TIMEOUT_MS,
  );
});

/** The demo of every pattern and kind of work passes on a stack that was just started, and restores it. */
async function expectDemos(copy: string): Promise<void> {
  const names = Object.keys(PATTERNS);
  const { code, output } = await runIn(copy, ['npm', 'run', 'demo', '--', ...names, 'work']);
  const demos = names.length + Object.keys(WORK).length;
  expect(output).toContain(`Passed: ${demos} of ${demos}.`);
  expect(code).toBe(0);
}

/** Both commands work for a user without a home directory, beside a stack that runs already. */
async function expectSecond(): Promise<void> {
  const { path: copy, remove } = await copyCheckout('second', NOBODY);
  cleanups.push(remove);
  const homeless = { through: AS_NOBODY, env: { HOME: '/nonexistent', USER: 'nobody' } };
  const second = await start(copy, homeless);
  expect(await second.order()).toBe('shipped');
  const tests = await runIn(copy, ['npm', 'test', '--', ONE_FILE], homeless);
  expect(tests.output).toMatch(/Tests .*passed/);
  await second.stop();
  expect(processesOf(copy)).toEqual([]);
  await remove();
}
