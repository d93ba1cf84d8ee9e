/** Paths: the project, one home per stack, one cache per user. */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StackConfig } from '../../config.ts';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** Of this user alone. */
export const PRIVATE_DIR = 0o700;
export const PRIVATE_FILE = 0o600;

/** The processes of the stack. Each has a pid file, a log file and, while stopped, a marker file. */
export const PART_NAMES = ['postgres', 'temporal', 'sandbox', 'app'] as const;
export type PartName = (typeof PART_NAMES)[number];

export interface Home {
  readonly path: string;
  readonly postgres: string;
  readonly temporal: string;
  readonly sandbox: string;
  readonly run: string;
  readonly logs: string;
  /** Addresses, ports and the app's environment of the running stack. */
  readonly stackFile: string;
  readonly workflowBundle: string;
  /** The key of the secrets in this home's database. */
  readonly encryptionKey: string;
  /** The pid of the stack itself: one stack per home. */
  readonly lockFile: string;
  pidFile(part: PartName): string;
  logFile(name: string): string;
  /** Exists while `npm run stack -- stop` keeps the part stopped. */
  stoppedFile(part: PartName): string;
}

/** The paths of one home. `path` is relative to the project when it is not absolute. */
export function createHome(path: string): Home {
  const root = resolve(PROJECT, path);
  const runDir = join(root, 'run');
  const logs = join(root, 'logs');
  return {
    path: root,
    postgres: join(root, 'postgres'),
    temporal: join(root, 'temporal.db'),
    sandbox: join(root, 'sandbox'),
    run: runDir,
    logs,
    stackFile: join(runDir, 'stack.json'),
    workflowBundle: join(runDir, 'workflow-bundle.js'),
    encryptionKey: join(root, 'encryption.key'),
    lockFile: join(runDir, 'stack.pid'),
    pidFile: (part) => join(runDir, `${part}.pid`),
    logFile: (name) => join(logs, `${name}.log`),
    stoppedFile: (part) => join(runDir, `${part}.stopped`),
  };
}

/** Creates the folders, and closes them to other users: data and logs have what customers entered. */
export function makeHome(home: Home): void {
  for (const dir of [home.path, home.run, home.logs, home.sandbox]) {
    mkdirSync(dir, { recursive: true, mode: PRIVATE_DIR });
    chmodSync(dir, PRIVATE_DIR);
  }
}

/** The key in the home's file, which is created with the first. */
export function localEncryptionKey(home: Home): string {
  if (!existsSync(home.encryptionKey)) {
    const key = `local:${randomBytes(32).toString('base64')}`;
    writeFileSync(home.encryptionKey, key, { mode: PRIVATE_FILE, flag: 'wx' });
  }
  return readFileSync(home.encryptionKey, 'utf8');
}

/**
 * The folder of something downloaded or built: in the user's cache, shared by all checkouts, or in
 * the stack's home when the user has no writable home directory.
 */
export function cacheDir(
  name: string,
  { XDG_CACHE_HOME, HOLDFAST_HOME }: Pick<StackConfig, 'XDG_CACHE_HOME' | 'HOLDFAST_HOME'>,
): string {
  const shared = join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'holdfast');
  if (existsSync(join(shared, name)) || isWritable(shared)) return join(shared, name);
  return join(createHome(HOLDFAST_HOME).path, 'cache', name);
}

/** True when the directory exists or can be created, and is writable. */
export function isWritable(dir: string): boolean {
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
