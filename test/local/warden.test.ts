import { expect, test } from 'vitest';
import { run } from '../../local/stack/commands.ts';
import { createHome, makeHome, PROJECT } from '../../local/stack/home.ts';
import { makeDir } from '../support/run-files.ts';

test('a process that releases the warden stays alive until its last output', async () => {
  const home = createHome(makeDir('warden'));
  makeHome(home);
  const lastWords = `
    import { createHome } from './local/stack/home.ts';
    import { launchWarden } from './local/stack/warden-link.ts';
    await launchWarden(createHome(process.argv[1])).release();
    console.log('stopped');`;
  const options = ['--import', 'tsx', '--input-type=module', '--eval', lastWords];
  const command = { file: process.execPath, args: [...options, home.path], cwd: PROJECT };
  expect(await run(command, { timeoutMs: 25_000 })).toBe('stopped\n');
});
