import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { run } from '../../local/stack/commands.ts';
import { environment } from '../../config.ts';
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

test.each([
  ['nothing', {}],
  ['other hosts', { no_proxy: 'shop.example' }],
])('a Temporal of this machine is reached without a proxy that is kept from %s', async (_, own) => {
  const program = `
    import { readStackConfig } from './config.ts';
    import { isTemporalUp } from './local/stack/search-attributes.ts';
    readStackConfig();
    // On a busy machine one look can be too short.
    while (!(await isTemporalUp(process.argv[1], 'default')));
    console.log('up', process.env.no_grpc_proxy);`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
  // Nothing listens there.
  const proxy = 'http://127.0.0.1:9';
  const lists = { no_proxy: '', no_grpc_proxy: '', ...own };
  const env = { ...environment(), http_proxy: proxy, https_proxy: proxy, ...lists };
  const command = { file: process.execPath, args: [...args, inject('temporalAddress')], env };
  const output = await run({ ...command, cwd: PROJECT }, { timeoutMs: 60_000 });
  expect(output).toMatch(/^up (?:shop\.example,)?127\.0\.0\.1,/);
});
