/** The Temporal SDK's own download of its servers. */
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ADDRESS = 'https://temporal.download/';
const PROBE_TIMEOUT_MS = 5000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

/** The executable in the folder, downloaded if need be; null when there is no way to get it. */
export async function downloadServer(
  server: 'dev server' | 'time-skipping test server',
  dir: string,
  say: (line: string) => void,
): Promise<string | null> {
  const existing = await findExecutable(dir);
  if (existing !== null || !(await isReachable())) return existing;
  say(`downloading the Temporal ${server} (once)`);
  await mkdir(dir, { recursive: true });
  // Imported here: it loads the whole worker, and is needed at most once.
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const executable = { type: 'cached-download', downloadDir: dir, ttl: '3650 days' } as const;
  const options = { server: { executable } };
  const started =
    server === 'dev server'
      ? TestWorkflowEnvironment.createLocal(options)
      : TestWorkflowEnvironment.createTimeSkipping(options);
  // A failed download leaves no executable; the caller has another way.
  const ended = started.then((environment) => environment.teardown()).catch(() => undefined);
  const timeout = new AbortController();
  await Promise.race([ended, delay(DOWNLOAD_TIMEOUT_MS, undefined, { signal: timeout.signal })]);
  timeout.abort();
  return findExecutable(dir);
}

/** The SDK's download has no timeout of its own: it is only tried when its address responds. */
async function isReachable(): Promise<boolean> {
  try {
    await fetch(ADDRESS, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  }
}

/** Of a download under way or broken off, the SDK's file has another ending and is executable too. */
export async function findExecutable(dir: string): Promise<string | null> {
  if (!existsSync(dir)) return null;
  const entries = await readdir(dir, { withFileTypes: true });
  const files = entries.filter(
    ({ name }) => name.startsWith('temporal') && !name.endsWith('.downloading'),
  );
  const paths = files.filter((file) => file.isFile()).map(({ name }) => join(dir, name));
  return paths.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
