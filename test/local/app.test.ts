import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { expect, inject, onTestFinished, test } from 'vitest';
import { environment, readStackConfig } from '../../config.ts';
import { chooseAddresses, saveAddresses } from '../../local/stack/addresses.ts';
import { killGroup } from '../../local/stack/commands.ts';
import { createHome, makeHome, PROJECT, type Home } from '../../local/stack/home.ts';
import { stopLeftovers } from '../../local/stack/leftovers.ts';
import { createTestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { choosePort } from '../support/ports.ts';
import { makeDir } from '../support/run-files.ts';
import { useOpened } from '../support/use-opened.ts';

const database = useOpened(createTestDatabase);

/** A home with a stack that runs, as far as other commands can see. */
async function startStack(): Promise<Home> {
  const home = createHome(makeDir('stack'));
  makeHome(home);
  const servers = { DATABASE_URL: database.url, TEMPORAL_ADDRESS: inject('temporalAddress') };
  const { addresses } = await chooseAddresses(readStackConfig(servers), home);
  await saveAddresses(home, addresses);
  const args = ['--eval', 'process.stdin.resume()', 'local/stack/start.ts'];
  const stack = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
  onTestFinished(() => void stack.kill('SIGKILL'));
  writeFileSync(home.lockFile, String(stack.pid));
  return home;
}

/** `npm run app`; a shell stands for npm's. Its worker listens when this resolves. */
async function startApp(home: Home): Promise<{ shell: ChildProcess; url: string }> {
  const PORT = String(await choosePort());
  const own = { HOLDFAST_HOME: home.path, PORT, ROLE: 'worker', npm_lifecycle_event: 'app' };
  const command = `"${process.execPath}" --import tsx local/stack/app.ts; exit $?`;
  const shell = spawn('sh', ['-c', command], {
    cwd: PROJECT,
    env: { ...environment(), ...own },
    stdio: 'ignore',
    detached: true,
  });
  onTestFinished(async () => {
    killGroup(shell.pid, 'SIGKILL');
    await stopLeftovers(home);
  });
  const url = `http://127.0.0.1:${PORT}/livez`;
  await eventually(async () => expect((await fetch(url)).status).toBe(200), {
    timeoutMs: 90_000,
  });
  return { shell, url };
}

/** Resolves when the worker listens no more and no pid file names it; with those that do. */
async function whenGone(home: Home, url: string): Promise<readonly string[]> {
  const pidFiles = () => readdirSync(home.run).filter((name) => name.startsWith('app-'));
  await eventually(() => expect(fetch(url)).rejects.toThrow('fetch failed'));
  await eventually(() => expect(pidFiles()).toEqual([]));
  return pidFiles();
}

test.skipIf(process.platform === 'win32')(
  'the worker of npm run app ends when npm ends, and when the command is killed',
  async () => {
    const home = await startStack();
    const orphaned = await startApp(home);
    orphaned.shell.kill('SIGTERM');
    expect(await whenGone(home, orphaned.url)).toEqual([]);
    const killed = await startApp(home);
    killGroup(killed.shell.pid, 'SIGKILL');
    expect(await whenGone(home, killed.url)).toEqual([]);
  },
  240_000,
);

test.skipIf(process.platform === 'win32')(
  'the worker of npm run app is among what a reset stops',
  async () => {
    const home = await startStack();
    const { url } = await startApp(home);
    expect(await stopLeftovers(home)).toEqual([expect.stringMatching(/^app-\d+$/)]);
    expect(await whenGone(home, url)).toEqual([]);
  },
  120_000,
);
