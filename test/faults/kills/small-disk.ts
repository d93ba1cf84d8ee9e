/** A file system of a fixed size, in memory, to be filled up. Linux, and only for who may mount. */
import { execFileSync } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../../local/stack/commands.ts';
import type { OnClose } from '../../support/cleanup.ts';
import { makeDir } from '../../support/run-files.ts';

export interface SmallDisk {
  readonly dir: string;
  /** Takes all the room that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
}

const CHUNK = Buffer.alloc(1 << 16);

/** Null when this machine does not let us mount one. */
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
  // Lazily: whoever still has a file open on it is about to be killed.
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
