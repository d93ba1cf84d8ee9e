import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { environment } from '../../config.ts';
import { ended, nodeCommand } from '../../local/stack/commands.ts';
import { createHome, makeHome, PROJECT, type Home } from '../../local/stack/home.ts';
import { RUN_HOME_VARIABLE, stopLeftovers } from '../../local/stack/leftovers.ts';
import { eventually } from '../support/eventually.ts';
import { makeDir } from '../support/run-files.ts';

const IDLE = 'process.stdin.resume()';

function newHome(name: string): Home {
  const home = createHome(makeDir(name));
  makeHome(home);
  return home;
}

/** A process with a pid file in the home; its command line ends with `args`. */
function startRecorded(home: Home, name: string, args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, ['--eval', IDLE, ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  writeFileSync(join(home.run, `${name}.pid`), String(child.pid));
  return child;
}

/** Runs `script` beside a reaper of the home, until it prints. */
async function startWithReaper(home: Home, script: string): Promise<ChildProcess> {
  const program = `
    import { createHome } from './local/stack/home.ts';
    import { launchReaper } from './local/stack/leftovers.ts';
    const dismiss = launchReaper(createHome(process.argv[1]));
    ${script}`;
  const options = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, [...options, home.path], {
    cwd: PROJECT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

test('a killed process is outlived by its reaper, which stops what it left', async () => {
  const home = newHome('killed');
  const part = startRecorded(home, 'app', [home.path]);
  const stack = await startWithReaper(home, `console.log('up'); ${IDLE}`);
  stack.kill('SIGKILL');
  await ended(part);
  expect(part.signalCode).toBe('SIGTERM');
  await eventually(() => expect(readdirSync(home.run)).toEqual([]));
});

test.runIf(process.platform === 'linux')(
  'a killed run leaves no process that a library started without a pid file',
  async () => {
    const home = newHome('library');
    const env = { ...environment(), [RUN_HOME_VARIABLE]: home.path };
    const server = spawn(process.execPath, ['--eval', IDLE], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    onTestFinished(() => void server.kill('SIGKILL'));
    const run = await startWithReaper(home, `console.log('up'); ${IDLE}`);
    run.kill('SIGKILL');
    await ended(server);
    expect(server.signalCode).toBe('SIGKILL');
  },
);

test('a dismissed reaper stops nothing', async () => {
  const home = newHome('dismissed');
  const part = startRecorded(home, 'app', [home.path]);
  await ended(await startWithReaper(home, `dismiss(); console.log('down');`));
  expect([part.signalCode, existsSync(home.pidFile('app'))]).toEqual([null, true]);
});

test('a reaper leaves a home alone that another stack has claimed', async () => {
  const home = newHome('claimed');
  const part = startRecorded(home, 'app', [home.path]);
  startRecorded(home, 'stack', ['local/stack/start.ts']);
  const { file, args, cwd } = nodeCommand('local/stack/reaper.ts', [home.path]);
  const reaper = spawn(file, args, { cwd, stdio: ['pipe', 'inherit', 'inherit'] });
  reaper.stdin.end();
  await ended(reaper);
  expect([reaper.exitCode, part.signalCode]).toEqual([0, null]);
});

test('a process with a pid file is stopped, and one that names another home is not', async () => {
  const home = newHome('beside');
  const ours = startRecorded(home, 'ours', [home.path]);
  const foreign = startRecorded(home, 'foreign', ['/another/home']);
  const gone = ended(ours);
  expect(await stopLeftovers(home)).toEqual(['ours']);
  await gone;
  expect([ours.signalCode, foreign.signalCode]).toEqual(['SIGTERM', null]);
  expect(readdirSync(home.run)).toEqual([]);
});
