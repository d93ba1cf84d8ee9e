import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { createHome, makeHome, PROJECT } from '../../local/stack/home.ts';
import { makeDir } from '../support/run-files.ts';

const ROUNDS = 150;
const SPIN_MS = 8;
const STACK = 'local/stack/start.ts';

/** Claims each home at the same moment as another process does; keeps what it got until it is ended. */
const PROGRAM = `
  import { createHome } from './local/stack/home.ts';
  import { claimHome } from './local/stack/leftovers.ts';
  const [, paths] = process.argv.slice(1);
  process.setMaxListeners(0);
  console.log('up');
  process.stdin.once('data', (beginsAtMs) => {
    for (const [n, path] of JSON.parse(paths).entries()) {
      while (Date.now() < Number(beginsAtMs) + n * ${SPIN_MS});
      try {
        claimHome(createHome(path));
        console.log(path);
      } catch {}
    }
    console.log('done');
  });`;

async function startClaimer(paths: readonly string[]) {
  const options = ['--import', 'tsx', '--input-type=module', '--eval', PROGRAM];
  const child = spawn(process.execPath, [...options, STACK, JSON.stringify(paths)], {
    cwd: PROJECT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  return {
    async claim(beginsAtMs: number): Promise<readonly string[]> {
      const claimed: string[] = [];
      const done = new Promise<void>((resolve) => {
        lines.on('line', (line) => (line === 'done' ? resolve() : claimed.push(line)));
      });
      child.stdin.write(String(beginsAtMs));
      await done;
      return claimed;
    },
  };
}

test('one of two stacks that start at the same moment on the home of a killed one gets it', async () => {
  const homes = Array.from({ length: ROUNDS }, (_, n) => createHome(makeDir(`claimed-${n}`)));
  for (const home of homes) {
    makeHome(home);
    writeFileSync(home.lockFile, '999999');
  }
  const paths = homes.map(({ path }) => path);
  const claimers = await Promise.all([startClaimer(paths), startClaimer(paths)]);
  const beginsAtMs = Date.now() + 100;
  const claimed = await Promise.all(claimers.map((each) => each.claim(beginsAtMs)));
  expect(claimed.flat().toSorted()).toEqual(paths.toSorted());
});
