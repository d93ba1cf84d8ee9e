/** Compiled programs are run while they are what the sources say, and not a moment longer. */
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { nodeCommand } from '../../local/stack/commands.ts';
import { compiledProgram, compilePrograms, DIST } from '../../local/stack/compile.ts';
import { PROJECT } from '../../local/stack/home.ts';

/** Any source: a test that starts a program meanwhile runs it from its sources, which is the same. */
const SOURCE = join(PROJECT, 'local', 'sandbox', 'ledger.ts');
const SANDBOX = 'local/sandbox/main.ts';

test('a compiled program newer than its sources is run and not compiled again', async () => {
  await compilePrograms();
  expect(nodeCommand('main.ts', []).args).toContain(join(DIST, 'main.js'));
  expect(await compilePrograms()).toBe(false);
});

test('a program with a changed source is run from its sources', async () => {
  await compilePrograms();
  const before = await stat(SOURCE);
  onTestFinished(() => utimes(SOURCE, before.atime, before.mtime));
  await utimes(SOURCE, new Date(), new Date(Date.now() + 1_000));
  expect(compiledProgram(SANDBOX)).toBeNull();
  expect(nodeCommand(SANDBOX, []).args).toContain(join(PROJECT, SANDBOX));
});
