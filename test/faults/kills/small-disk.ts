/** A file system of a fixed size, in memory, to be filled up. Linux only, with the right to mount. */
import { execFileSync } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../../local/stack/commands.ts';
import type { OnClose } from '../../support/cleanup.ts';
import { makeDir } from '../../support/run-files.ts';

export interface SmallDisk {
  readonly dir: string;
  /** Takes all remaining space. */
  fill(): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
}

const CHUNK = Buffer.alloc(1 << 16);

/** Null when this machine does not allow the mount. */
export async function mountSmallDisk(
  onClose: OnClose,
  megabytes: number,
): Promise<SmallDisk | null> {
  const dir = makeDir('disk');
  try {
    mount(['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'holdfast', dir]);
  } catch {
    return null;
  }
  // Lazily: processes with open files on it are about to be killed.
  const unmount = (): void => mount(['umount', '-l', dir]);
  process.once('exit', unmount);
  onClose(async () => {
    process.off('exit', unmount);
    unmount();
  });
  const ballast = join(dir, 'ballast');
  return {
    dir,
    fill: () => fillUp(ballast),
    free: () => rm(ballast, { force: true }),
  };
}

async function fillUp(path: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    for (let size = CHUNK.length; size > 0;) {
      // Smaller and smaller pieces, until not a page is left.
      const written = await file.write(CHUNK, 0, size).catch((error: unknown) => {
        if (isErrno(error, 'ENOSPC')) return null;
        throw error;
      });
      if (written === null) size = size >> 1;
    }
  } finally {
    await file.close();
  }
}

function mount([file = '', ...args]: readonly string[]): void {
  execFileSync(file, args, { stdio: 'ignore', timeout: 10_000 });
}
