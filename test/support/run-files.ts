/** Files of one test run, in a folder that is removed at its end. */
import { mkdtempSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, inject } from 'vitest';
import { PROJECT } from '../../local/stack/home.ts';

/** A new folder. */
export function makeDir(name: string): string {
  return mkdtempSync(join(inject('runDir'), `${name}-`));
}

/** The log of a server that only the running test file uses. */
export function serverLog(name: string): string {
  const { testPath } = expect.getState();
  return join(inject('runDir'), 'logs', `${logPrefixOf(testPath ?? '')}${name}.log`);
}

/** What the names of the logs of one test file begin with. */
export function logPrefixOf(testFile: string): string {
  return `${relative(PROJECT, testFile).replaceAll(/[^\w.]+/g, '-')}--`;
}
