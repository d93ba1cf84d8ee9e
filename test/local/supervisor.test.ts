import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { becomesTrue } from '../../local/stack/commands.ts';
import { createHome, localEncryptionKey, makeHome } from '../../local/stack/home.ts';
import type { Home } from '../../local/stack/home.ts';
import { claimHome, runningPart, stopLeftovers } from '../../local/stack/leftovers.ts';
import { createPart } from '../../local/stack/supervisor.ts';
import type { Part, PartSpec } from '../../local/stack/supervisor.ts';
import { makeDir } from '../support/run-files.ts';

const LIVES = 'process.stdout.write("up"); setInterval(() => undefined, 1000)';
const SOON = { timeoutMs: 60_000, everyMs: 50 };

let home: Home;
let part: Part | undefined;

beforeEach(() => {
  home = createHome(makeDir('stack'));
  makeHome(home);
});

afterEach(async () => {
  await part?.stop();
  part = undefined;
});

/** A sandbox that is any script; it names the home, as every real part does. */
function spec(script: string): PartSpec {
  return {
    name: 'sandbox',
    command: { file: process.execPath, args: ['--eval', script, home.path] },
    output: 'file',
    isReady: async () => readFileSync(home.logFile('sandbox'), 'utf8').includes('up'),
    startTimeoutMs: 60_000,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 2000,
  };
}

const pid = (): number => Number(readFileSync(home.pidFile('sandbox'), 'utf8'));

describe('a part of the local stack', () => {
  it('a killed part is started again', async () => {
    part = createPart(spec(LIVES), home);
    await part.start();
    const first = pid();
    process.kill(first, 'SIGKILL');
    const isBack = async (): Promise<boolean> => pid() !== first && isRunning();
    expect(await becomesTrue(isBack, SOON)).toBe(true);
  });

  it('a part stays down while its stopped file exists and restarts once it is removed', async () => {
    part = createPart(spec(LIVES), home);
    await part.start();
    writeFileSync(home.stoppedFile('sandbox'), '');
    process.kill(pid(), 'SIGKILL');
    const isKeptDown = async (): Promise<boolean> => !existsSync(home.pidFile('sandbox'));
    expect(await becomesTrue(isKeptDown, SOON)).toBe(true);
    rmSync(home.stoppedFile('sandbox'));
    expect(await becomesTrue(async () => isRunning(), SOON)).toBe(true);
  });

  it('no other user may read anything in the home, whatever the mask and whatever was there', async () => {
    const before = process.umask(0);
    onTestFinished(() => void process.umask(before));
    chmodSync(home.path, 0o777);
    chmodSync(home.logs, 0o755);
    makeHome(home);
    const writes = `const fs = require('node:fs');
      const dir = process.argv[1] + '/sandbox/state';
      fs.mkdirSync(dir); fs.writeFileSync(dir + '/payments.jsonl', '{}');`;
    const isReady = async (): Promise<boolean> =>
      existsSync(home.logFile('sandbox')) &&
      existsSync(join(home.sandbox, 'state', 'payments.jsonl'));
    part = createPart({ ...spec(writes + LIVES), output: { showAll: false }, isReady }, home);
    await part.start();
    expect(process.umask()).toBe(0);
    const key = localEncryptionKey(home);
    expect(key).toMatch(/^local:[A-Za-z0-9+/]{43}=$/);
    expect(localEncryptionKey(home)).toBe(key);
    const open = readdirSync(home.path, { recursive: true, encoding: 'utf8' })
      .map((path) => ({ path, mode: statSync(join(home.path, path)).mode & 0o777 }))
      .filter(({ mode }) => (mode & 0o077) !== 0);
    expect(open).toEqual([]);
    expect(statSync(home.path).mode & 0o777).toBe(0o700);
    expect(existsSync(join(home.sandbox, 'state', 'payments.jsonl'))).toBe(true);
  });

  it('a part that cannot start reports its exit code and its last output', async () => {
    part = createPart(spec('console.error("no such table"); process.exit(3)'), home);
    await expect(part.start()).rejects.toThrow(/exit code 3[\s\S]*no such table/);
  });

  it('a part left by a killed stack is stopped by the next stack', async () => {
    part = createPart(spec(LIVES), home);
    await part.start();
    // The next stack knows the process by its pid file and by the home in its command line only.
    writeFileSync(home.stoppedFile('sandbox'), '');
    expect(await stopLeftovers(home)).toEqual(['sandbox']);
    expect(isRunning()).toBe(false);
  });

  it('a foreign process with the recorded pid of a part is not stopped', async () => {
    writeFileSync(home.pidFile('app'), String(process.pid));
    expect(await stopLeftovers(home)).toEqual([]);
  });
});

describe('a home', () => {
  it('the home of a killed stack can be claimed again', () => {
    writeFileSync(home.lockFile, '999999');
    claimHome(home);
    expect(readFileSync(home.lockFile, 'utf8')).toBe(String(process.pid));
  });
});

function isRunning(): boolean {
  return runningPart(home, 'sandbox') !== null;
}
