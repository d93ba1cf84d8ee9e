import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { environment } from '../../config.ts';
import { ended, launch } from '../../local/stack/commands.ts';
import { createHome, makeHome, PROJECT } from '../../local/stack/home.ts';
import { killStartedFor, RUN_HOME_VARIABLE } from '../../local/stack/leftovers.ts';
import { postgresPart } from '../../local/stack/parts.ts';
import { createPostgres } from '../../local/stack/postgres.ts';
import { createPart } from '../../local/stack/supervisor.ts';
import { eventually } from '../support/eventually.ts';
import { choosePort } from '../support/ports.ts';
import { makeDir } from '../support/run-files.ts';

test.runIf(process.platform === 'linux')(
  'the start after a first one that was killed within initdb makes a database that runs',
  async () => {
    const home = createHome(makeDir('postgres'));
    makeHome(home);
    const program = `
      import { createPostgres } from './local/stack/postgres.ts';
      const postgres = await createPostgres({ dataDir: process.argv[1], durable: true });
      await postgres.initialize();`;
    const first = launch(
      {
        file: process.execPath,
        args: ['--import', 'tsx', '--input-type=module', '--eval', program, home.postgres],
        cwd: PROJECT,
        env: { ...environment(), [RUN_HOME_VARIABLE]: home.path },
      },
      'pipe',
    );
    onTestFinished(() => killStartedFor(home));
    await eventually(() => {
      const dirs = [home.postgres, `${home.postgres}.partial`];
      expect(dirs.some((dir) => existsSync(join(dir, 'PG_VERSION')))).toBe(true);
    });
    // The stack first: it would delete what a killed initdb leaves.
    first.kill('SIGKILL');
    await ended(first);
    killStartedFor(home);

    const postgres = await createPostgres({ dataDir: home.postgres, durable: false });
    await postgres.initialize();
    const port = await choosePort();
    const part = createPart(postgresPart(postgres, port), home);
    onTestFinished(() => part.stop());
    await part.start();
    expect(existsSync(`${home.postgres}.partial`)).toBe(false);
  },
);
