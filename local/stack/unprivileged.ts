/**
 * PostgreSQL refuses to run as root, so root runs it as another user. In a directory that only root
 * may enter (a checkout in /root or in a `mktemp -d`) that user keeps the capability to enter it.
 */
import { execFileSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from './commands.ts';

/** Candidates for that user. */
const USERS = ['postgres', 'nobody'] as const;
const OTHERS_MAY_ENTER = 0o001;

export interface Runner {
  /** Absent when the stack does not run as root: children then run as its own user. */
  readonly uid?: number;
  readonly gid?: number;
  /** The directories are closed to that user: keep CAP_DAC_OVERRIDE (Linux, setpriv). */
  readonly passThrough: boolean;
}

/**
 * The user that runs PostgreSQL: the owner of `owns` if it exists. Throws a message for people when
 * there is no way to run it.
 */
export async function findRunner(paths: {
  readonly needs: readonly string[];
  readonly owns: string;
}): Promise<Runner> {
  if (process.getuid?.() !== 0) return { passThrough: false };
  const user = ownerOf(paths.owns) ?? USERS.map(findUser).find((found) => found !== null);
  if (!user) {
    throw new Error(`PostgreSQL cannot run as root and there is no user ${USERS.join(' or ')}.`);
  }
  const closed = paths.needs.find((path) => !isOpenToOthers(path));
  if (closed === undefined) return { ...user, passThrough: false };
  if (capture('setpriv', ['--version']) === null) {
    throw new Error(
      `PostgreSQL cannot run as root, and no other user may enter ${closed}. ` +
        'Install setpriv (util-linux), use a normal user, open the directory, or set DATABASE_URL.',
    );
  }
  return { ...user, passThrough: true };
}

/** The command, run as that user. */
export function runAs(runner: Runner, command: Command): Command {
  const { uid, gid } = runner;
  if (uid === undefined || gid === undefined) return command;
  if (!runner.passThrough) return { ...command, uid, gid };
  const capability = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override'];
  // access(2), which initdb and postgres call for their own files, ignores the capabilities of a
  // user that is not root unless this bit is set (capabilities(7), "The securebits flags").
  const accessToo = ['--securebits', '+no_setuid_fixup'];
  const user = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  return {
    ...command,
    file: 'setpriv',
    args: [...accessToo, ...user, ...capability, '--', command.file, ...command.args],
  };
}

function ownerOf(path: string): { uid: number; gid: number } | null {
  if (!existsSync(path)) return null;
  const { uid, gid } = statSync(path);
  return uid === 0 ? null : { uid, gid };
}

function findUser(name: string): { uid: number; gid: number } | null {
  const [uid, gid] = [capture('id', ['-u', name]), capture('id', ['-g', name])];
  return uid === null || gid === null ? null : { uid: Number(uid), gid: Number(gid) };
}

function isOpenToOthers(path: string): boolean {
  if (!existsSync(path)) return isOpenToOthers(dirname(path));
  if ((statSync(path).mode & OTHERS_MAY_ENTER) === 0) return false;
  return dirname(path) === path || isOpenToOthers(dirname(path));
}

/** The command's output; null when it fails. */
function capture(file: string, args: readonly string[]): string | null {
  const stdio: StdioOptions = ['ignore', 'pipe', 'ignore'];
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio, timeout: 5000 });
  } catch {
    return null;
  }
}
