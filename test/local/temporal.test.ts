import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../local/stack/commands.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { findExecutable } from '../../local/stack/sdk-download.ts';
import { VERSION } from '../../local/stack/temporal.ts';
import { makeDir } from '../support/run-files.ts';

const PROGRAM = '#!/bin/sh\necho "a server of another version"\n';

test('a download that was broken off is not taken for the server', async () => {
  const dir = makeDir('download');
  const file = join(dir, 'temporal-sdk-typescript-1.24.0');
  writeFileSync(`${file}.downloading`, 'half', { mode: 0o755 });
  expect(await findExecutable(dir)).toBeNull();
  writeFileSync(file, PROGRAM, { mode: 0o755 });
  expect(await findExecutable(dir)).toBe(file);
});

test('a downloaded server that lacks flags of the stack is not used', async () => {
  const [cache, path] = [makeDir('cache'), makeDir('path')];
  const dir = join(cache, 'holdfast', `temporal-${VERSION}`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'temporal-sdk-typescript-1.24.0'), PROGRAM, { mode: 0o755 });
  const program = `
    import { findTemporal } from './local/stack/temporal.ts';
    const config = { XDG_CACHE_HOME: process.argv[1], HOLDFAST_HOME: process.argv[1] };
    console.log(await findTemporal({ config, say: () => undefined }));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program, cache];
  // Neither the Temporal CLI nor Go is on this PATH.
  const command = { file: process.execPath, args, cwd: PROJECT, env: { PATH: path } };
  const found = run(command, { timeoutMs: 60_000 });
  await expect(found).rejects.toThrow('There is no Temporal server');
});
