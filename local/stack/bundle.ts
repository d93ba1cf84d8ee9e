/** Bundles the workflows when their sources change, so that the app starts quickly. */
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultVariable, readStackConfig } from '../../config.ts';
import { run } from './commands.ts';
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
const LOAD_TIMEOUT_MS = 60_000;

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
  await fillCompilerCache();
  // Imported here: it loads the compiler and the worker, and is rarely needed.
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const logger = new DefaultLogger('WARN');
  const { code } = await bundleWorkflowCode({ ...WORKFLOW_CODE, logger });
  await replaceFile(file, code);
}

/**
 * Loads SWC, which unpacks its compiler at its first use. That fails for a user without a cache of their
 * own, and now and then on a busy machine with an empty one. A process that failed once cannot load it
 * again, so other processes fill the cache first.
 */
async function fillCompilerCache(): Promise<void> {
  defaultVariable('SWC_NATIVE_BINDING_CACHE', cacheDir('swc', readStackConfig()));
  const compiler = createRequire(import.meta.url).resolve('@swc/core');
  const load = { file: process.execPath, args: ['-e', 'require(process.argv[1])', compiler] };
  for (let tries = 1; ; tries += 1) {
    try {
      await run(load, { timeoutMs: LOAD_TIMEOUT_MS });
      return;
    } catch (error) {
      if (tries === MAX_LOADS) throw error;
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
