/** Bundles the workflows when their sources change, so that the app starts quickly. */
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultVariable, readStackConfig } from '../../config.ts';
import { replaceFile } from './compile.ts';
import { cacheDir, PROJECT } from './home.ts';
import { generateIfStale } from './stamp.ts';

/** The workflows, and the interceptor that passes their trace on. */
const WORKFLOW_CODE = {
  workflowsPath: join(PROJECT, 'workflows', 'index.ts'),
  workflowInterceptorModules: [join(PROJECT, 'workflows', 'trace.ts')],
};

const MAX_LOADS = 5;
const LOAD_AGAIN_AFTER_MS = 1_000;

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
  await loadCompiler();
  // Imported here: it loads the compiler and the worker, and is rarely needed.
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const logger = new DefaultLogger('WARN');
  const { code } = await bundleWorkflowCode({ ...WORKFLOW_CODE, logger });
  await replaceFile(file, code);
}

/**
 * Loads SWC, which unpacks its compiler at its first use. It fails for a user without a cache of their
 * own, and now and then on a busy machine with an empty one: then the next load succeeds.
 */
async function loadCompiler(): Promise<void> {
  defaultVariable('SWC_NATIVE_BINDING_CACHE', cacheDir('swc', readStackConfig()));
  const require = createRequire(import.meta.url);
  for (let load = 1; ; load += 1) {
    try {
      require('@swc/core');
      return;
    } catch (error) {
      if (load === MAX_LOADS) throw error;
      await delay(LOAD_AGAIN_AFTER_MS);
    }
  }
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
