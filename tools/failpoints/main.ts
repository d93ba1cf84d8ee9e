/**
 * The app with one failpoint armed, for tests of crashes: it takes `--failpoint <setting>` and
 * `--failpoint-mark <file>`, the file that is written before the kill so that a restart lives.
 */
import { parseArgs } from 'node:util';
import { ConfigError, type AppConfig } from '../../config.ts';
import { runProgram } from '../../run.ts';
import { FAILPOINTS, isFailpointSetting } from './failpoints.ts';
import { createFailpointSeams, type FailpointOptions } from './seams.ts';

await runProgram((config) => createFailpointSeams(readOptions(config)));

/** Throws ConfigError. */
function readOptions({ NODE_ENV }: AppConfig): FailpointOptions {
  const { values } = parseArgs({
    options: { failpoint: { type: 'string' }, 'failpoint-mark': { type: 'string' } },
    strict: false,
  });
  const { failpoint: setting, 'failpoint-mark': markFile } = values;
  if (NODE_ENV === 'production')
    throw new ConfigError('A failpoint kills the process: never in production.');
  if (typeof setting !== 'string' || !isFailpointSetting(setting)) {
    throw new ConfigError(
      `--failpoint is <name>, <name>#<n> or @<file>, of the names ${FAILPOINTS.join(' ')}`,
    );
  }
  if (typeof markFile !== 'string') {
    throw new ConfigError('--failpoint-mark is the file to write before the kill.');
  }
  return { setting, markFile };
}
