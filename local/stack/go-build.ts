/** Builds a program with Go, where it cannot be downloaded. Takes minutes, once per user. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { environment } from '../../config.ts';
import { run } from './commands.ts';
import { isWritable } from './home.ts';

const BUILD_TIMEOUT_MS = 30 * 60_000;
const PROGRESS_EVERY_MS = 15_000;

/**
 * Builds in another folder and renames, so that an incomplete binary is never used. Shows progress
 * every 15 seconds. Throws when there is no Go or the build fails.
 */
export async function buildWithGo(options: {
  /** The package with its version. */
  readonly module: string;
  readonly flags?: readonly string[];
  /** For the progress: what it is, and how long it takes. */
  readonly title: string;
  readonly binary: string;
  readonly say: (line: string) => void;
}): Promise<void> {
  const { say, module, flags = [] } = options;
  await run({ file: 'go', args: ['version'] }, { timeoutMs: 30_000 });
  const partial = `${dirname(options.binary)}.${process.pid}.partial`;
  say(`building ${options.title} with Go`);
  const startedAt = Date.now();
  let compiled = 0;
  let now = 'downloading modules';
  const timer = setInterval(() => {
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    say(`  ${seconds} s, ${compiled} packages compiled, ${now}`);
  }, PROGRESS_EVERY_MS);
  try {
    await mkdir(partial, { recursive: true });
    await run(
      {
        file: 'go',
        args: ['install', '-v', ...flags, module],
        env: { ...environment(), ...goHome(partial), GOBIN: partial },
      },
      {
        timeoutMs: BUILD_TIMEOUT_MS,
        onOutput: (text) => {
          const packages = text.split('\n').filter((line) => isPackage(line));
          compiled += packages.length;
          now = packages.length > 0 ? `now ${packages.at(-1) ?? ''}` : now;
        },
      },
    );
    await mkdir(dirname(options.binary), { recursive: true });
    await rename(join(partial, basename(options.binary)), options.binary);
  } finally {
    clearInterval(timer);
    await rm(partial, { recursive: true, force: true });
  }
}

/** Go's caches are in the user's home directory; without one they are deleted after the build. */
function goHome(partial: string): Readonly<Record<string, string>> {
  if (isWritable(homedir())) return {};
  const [GOPATH, GOCACHE] = [join(partial, 'go'), join(partial, 'go-cache')];
  return { GOPATH, GOCACHE, GOFLAGS: '-modcacherw' };
}

/** `go install -v` prints the name of each package it compiles on a line of its own. */
function isPackage(line: string): boolean {
  return line !== '' && !line.startsWith('go: ') && !line.includes(' ');
}
