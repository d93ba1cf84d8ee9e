/** Bundles the workflows when their sources change, so that the app starts quickly. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultVariable, readStackConfig } from '../../config.ts';
import { replaceFile } from './compile.ts';
import { cacheDir, PROJECT } from './home.ts';
import { generateIfStale } from './stamp.ts';

/** The workflows, and the interceptor that passes their trace on. */
const WORKFLOW_CODE = {
  workflowsPath: join(PROJECT, 'workflows', 'index.ts'),
  workflowInterceptorModules: [join(PROJECT, 'workflows', 'trace.ts')],
};

/** Writes the bundle to `file` unless it is up to date. True when it was bundled. */
export async function bundleWorkflows(file: string): Promise<boolean> {
  const sources = await listSources();
  return generateIfStale({
    output: file,
    stamp: `${file}.sha256`,
    sources,
    generate: () => bundle(file),
  });
}

async function bundle(file: string): Promise<void> {
  // SWC unpacks its compiler there, and fails for a user without a cache of their own.
  defaultVariable('SWC_NATIVE_BINDING_CACHE', cacheDir('swc', readStackConfig()));
  // Imported here: it loads the compiler and the worker, and is rarely needed.
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const logger = new DefaultLogger('WARN');
  const { code } = await bundleWorkflowCode({ ...WORKFLOW_CODE, logger });
  await replaceFile(file, code);
}

async function listSources(): Promise<readonly string[]> {
  const files = [join(PROJECT, 'package-lock.json')];
  for (const dir of ['workflows', 'domain']) {
    const names = await readdir(join(PROJECT, dir), { recursive: true });
    files.push(
      ...names.filter((name) => name.endsWith('.ts')).map((name) => join(PROJECT, dir, name)),
    );
  }
  return files;
}
