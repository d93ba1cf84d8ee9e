import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { openJournal } from '../../local/sandbox/journal.ts';
import { run } from '../../local/stack/commands.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { makeDir } from '../support/run-files.ts';

const ROWS = { name: 'rows', row: z.string(), limit: 100 };
/** A process may write no file of more blocks, of half a kilobyte or a whole one. */
const MAX_BLOCKS = 4096;
const HALF_OF_IT = 1_048_576;

test.skipIf(process.platform === 'win32')(
  'a commit that the disk has no room for leaves nothing, and a smaller one after it is kept',
  async () => {
    const path = join(makeDir('journal'), 'rows.jsonl');
    const program = `
      import { z } from 'zod';
      import { openJournal } from './local/sandbox/journal.ts';
      const rows = openJournal(process.argv[1]).table({ name: 'rows', row: z.string(), limit: 100 });
      rows.set('first', 'kept');
      try {
        for (let n = 0; n < 20; n += 1) rows.set('large', 'x'.repeat(${HALF_OF_IT}));
        console.log('no write failed');
      } catch (error) {
        console.log(error.code);
        rows.set('small', 'kept');
      }`;
    const limited = `ulimit -f ${MAX_BLOCKS} && exec "$@"`;
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program];
    const command = { file: 'sh', args: ['-c', limited, 'sh', ...node, path], cwd: PROJECT };
    expect(await run(command, { timeoutMs: 60_000 })).toBe('EFBIG\n');
    const journal = openJournal(path);
    const rows = journal.table(ROWS);
    expect([rows.get('first'), rows.get('small')]).toEqual(['kept', 'kept']);
    journal.close();
  },
);
