/** `npm run reset`: deletes all local data; only what the stack wrote itself. */
import { rm } from 'node:fs/promises';
import { readStackConfig } from '../../config.ts';
import { createHome } from './home.ts';
import { runningStack, stopLeftovers } from './leftovers.ts';
import { say } from './output.ts';

const home = createHome(readStackConfig().HOLDFAST_HOME);
const holder = runningStack(home);
if (holder === null) {
  await stopLeftovers(home);
  const database = ['', '-shm', '-wal', '-journal'].map((suffix) => `${home.temporal}${suffix}`);
  const postgres = ['', '.partial', '.password'].map((suffix) => `${home.postgres}${suffix}`);
  for (const path of [...postgres, home.sandbox, home.run, home.logs, ...database]) {
    await rm(path, { recursive: true, force: true });
  }
  say(`All local data in ${home.path} is deleted; the next npm start begins empty.`);
} else {
  say(`A stack is running on ${home.path} (process ${holder}): stop it first.`);
  process.exitCode = 1;
}
