/**
 * PostgreSQL refuses to run as root. Its processes then run as another user. In a directory that only
 * root may enter (a checkout in /root or in a `mktemp -d`) they keep the capability to enter it.
 */
import { execFileSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from './commands.ts';

/** Candidates for PostgreSQL's user when root starts it. */
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
 * Who runs PostgreSQL: the owner of `owns` when it exists already. Throws a sentence for a person
 * when root finds no way to run it.
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
  if (!hasSetpriv()) {
    throw new Error(
      `PostgreSQL cannot run as root, and no other user may enter ${closed}. ` +
        'Install setpriv (util-linux), use a normal user, open the directory, or set DATABASE_URL.',
    );
  }
  return { ...user, passThrough: true };
}

/** The command as the runner starts it. */
export function runAs(runner: Runner, command: Command): Command {
  const { uid, gid } = runner;
  if (uid === undefined || gid === undefined) return command;
  if (!runner.passThrough) return { ...command, uid, gid };
  const capability = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override'];
  // access(2), which initdb and postgres ask about their own files, ignores the capabilities of a
  // user that is not root unless this bit is set (capabilities(7), "The securebits flags").
  const accessToo = ['--securebits', '+no_setuid_fixup'];
  const who = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  return {
    ...command,
    file: 'setpriv',
    args: [...accessToo, ...who, ...capability, '--', command.file, ...command.args],
  };
}

function ownerOf(path: string): { uid: number; gid: number } | null {
  if (!existsSync(path)) return null;
  const { uid, gid } = statSync(path);
  return uid === 0 ? null : { uid, gid };
}

function findUser(name: string): { uid: number; gid: number } | null {
  try {
    const id = (flag: string): number => Number(capture('id', [flag, name]));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return null;
  }
}

function hasSetpriv(): boolean {
  try {
    capture('setpriv', ['--version']);
    return true;
  } catch {
    return false;
  }
}

function isOpenToOthers(path: string): boolean {
  if (!existsSync(path)) return isOpenToOthers(dirname(path));
  if ((statSync(path).mode & OTHERS_MAY_ENTER) === 0) return false;
  return dirname(path) === path || isOpenToOthers(dirname(path));
}

function capture(file: string, args: readonly string[]): string {
  const stdio: StdioOptions = ['ignore', 'pipe', 'ignore'];
  return execFileSync(file, args, { encoding: 'utf8', stdio, timeout: 5000 });
}
