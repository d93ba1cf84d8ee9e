import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { listHistories, readHistory } from '../replay/histories.ts';
import { replay } from '../replay/replaying.ts';
import { copyWithDiffs } from '../support/documented-code.ts';

test('every recorded history replays with the step of docs/add-a-step.md, and not without its guard', async () => {
  const copy = await copyWithDiffs();
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(copy, 'workflows', 'index.ts'),
    workflowInterceptorModules: [join(copy, 'workflows', 'trace.ts')],
    logger: new DefaultLogger('WARN'),
  });
  const names = listHistories();
  const histories = new Map(names.map((name) => [name, readHistory(name)]));
  expect(await replay({ code }, histories)).toEqual(names.map((name) => ({ name, error: null })));
  const unguarded = code.replaceAll('.patched)(POINTS)', '.patched)(POINTS) || true');
  expect(unguarded).not.toBe(code);
  const failed = (await replay({ code: unguarded }, histories)).filter(
    ({ error }) => error !== null,
  );
  expect(failed.map(({ name }) => name)).toContain('shipped');
});
