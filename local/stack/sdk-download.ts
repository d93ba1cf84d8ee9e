/** The Temporal SDK's own download of its servers: is it reachable, and what did it leave. */
import { accessSync, constants, existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const ADDRESS = 'https://temporal.download/';
const PROBE_TIMEOUT_MS = 5000;

/** The SDK's download has no deadline of its own: it is only tried when its address answers. */
export async function isDownloadReachable(): Promise<boolean> {
  try {
    await fetch(ADDRESS, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  }
}

/** The executable an earlier download left in the directory, or null. */
export async function downloaded(dir: string): Promise<string | null> {
  if (!existsSync(dir)) return null;
  const entries = await readdir(dir, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.startsWith('temporal'));
  return files.map((entry) => join(dir, entry.name)).find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
