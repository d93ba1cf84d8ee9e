import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ended, run } from '../../local/stack/commands.ts';
import { createHome, makeHome, PROJECT } from '../../local/stack/home.ts';
import { stopLeftovers } from '../../local/stack/leftovers.ts';
import { makeDir } from '../support/run-files.ts';

test('a process that releases the warden stays alive until its last output', async () => {
  const home = createHome(makeDir('warden'));
  makeHome(home);
  const lastWords = `
    import { createHome } from './local/stack/home.ts';
    import { launchReaper } from './local/stack/warden-link.ts';
    await launchReaper(createHome(process.argv[1])).release();
    console.log('stopped');`;
  const options = ['--import', 'tsx', '--input-type=module', '--eval', lastWords];
  const command = { file: process.execPath, args: [...options, home.path], cwd: PROJECT };
  expect(await run(command, { timeoutMs: 25_000 })).toBe('stopped\n');
});

test('a process whose id lies beside the parts is stopped, and one that names another home is not', async () => {
  const home = createHome(makeDir('beside'));
  makeHome(home);
  const start = (name: string, path: string) => {
    const idle = ['--eval', 'process.stdin.resume()', path];
    const child = spawn(process.execPath, idle, { stdio: ['pipe', 'ignore', 'ignore'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    writeFileSync(join(home.run, `${name}.pid`), String(child.pid));
    return child;
  };
  const ours = start('ours', home.path);
  const foreign = start('foreign', '/another/home');
  const gone = ended(ours);
  expect(await stopLeftovers(home)).toEqual(['ours']);
  await gone;
  expect([ours.signalCode, foreign.signalCode]).toEqual(['SIGTERM', null]);
  expect(readdirSync(home.run)).toEqual([]);
});
