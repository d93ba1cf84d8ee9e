/** Compiles the workflows once per change of their sources, so that the app starts at once. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultVariable, readStackConfig } from '../../config.ts';
import { cacheDir, PROJECT } from './home.ts';

const SOURCES = ['workflows', 'domain'] as const;
/** What a bundle is made of: the workflows, and what hands their trace on. */
const WORKFLOW_CODE = {
  workflowsPath: join(PROJECT, 'workflows', 'index.ts'),
  workflowInterceptorModules: [join(PROJECT, 'workflows', 'trace.ts')],
};
const SINGLE_FILES = ['package-lock.json'] as const;

/** Writes the bundle to `file` unless the one there is current. True when it was compiled. */
export async function bundleWorkflows(file: string): Promise<boolean> {
  const hash = await hashSources();
  const stamp = `${file}.sha256`;
  if (existsSync(file) && existsSync(stamp) && (await readFile(stamp, 'utf8')) === hash)
    return false;
  // SWC unpacks its compiler there, and fails for a user without a cache of their own.
  defaultVariable('SWC_NATIVE_BINDING_CACHE', cacheDir('swc', readStackConfig()));
  // Loaded here: it brings the compiler and the worker with it, and is rarely needed.
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    ...WORKFLOW_CODE,
    logger: new DefaultLogger('WARN'),
  });
  await writeFile(`${file}.partial`, code);
  await rename(`${file}.partial`, file);
  await writeFile(stamp, hash);
  return true;
}

async function hashSources(): Promise<string> {
  const digest = createHash('sha256');
  const files: string[] = [...SINGLE_FILES];
  for (const dir of SOURCES) {
    const names = await readdir(join(PROJECT, dir), { recursive: true });
    files.push(...names.filter((name) => name.endsWith('.ts')).map((name) => join(dir, name)));
  }
  for (const file of files.sort()) digest.update(file).update(await readFile(join(PROJECT, file)));
  return digest.digest('hex');
}
