import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { environment } from '../../config.ts';
import { nodeCommand } from '../../local/stack/commands.ts';
import { FAILPOINTS, isFailpointSetting } from '../../tools/failpoints/failpoints.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { FAILPOINT_PROGRAM } from '../support/programs.ts';
import { makeDir } from '../support/run-files.ts';
import { PRODUCTION_CONFIG, REQUIRED_CONFIG } from '../support/app-config.ts';

const POINT = 'payments.capture:after';
const ARM = 'arm';

let dir = '';
beforeEach(() => {
  dir = makeDir('failpoints');
});

describe('--failpoint', () => {
  test('a failpoint setting is a known name, a name with #n or an @file, and anything else is invalid', () => {
    for (const name of FAILPOINTS) expect(isFailpointSetting(name), name).toBe(true);
    expect(isFailpointSetting(`${POINT}#3`)).toBe(true);
    expect(isFailpointSetting('@/tmp/armed')).toBe(true);
    for (const wrong of ['', 'payments.capture', `${POINT}#0`, `${POINT}#x`, 'no.such:before']) {
      expect(isFailpointSetting(wrong), wrong).toBe(false);
    }
  });

  test('an unknown failpoint ends the program with an error that lists a known one', () => {
    const { status, stderr } = start(['--failpoint', 'no.such:before', '--failpoint-mark', 'mark']);
    expect(status).toBe(1);
    expect(stderr).toContain(POINT);
  });

  test('a failpoint ends the program in production and without a file for its mark', () => {
    expect(start(['--failpoint', POINT])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--failpoint-mark'),
    });
    const args = ['--failpoint', POINT, '--failpoint-mark', join(dir, 'mark')];
    expect(start(args, PRODUCTION_CONFIG)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('never in production'),
    });
  });
});

describe('passing a failpoint', () => {
  test('a process is killed once, at the requested passage of the armed failpoint, and leaves a mark', () => {
    const passes = [POINT, 'payments.capture:before', POINT, POINT];
    const first = passIn({ setting: `${POINT}#2`, passes });
    expect(first).toEqual({ signal: 'SIGKILL', passed: 2 });
    expect(readFileSync(join(dir, 'mark'), 'utf8')).toContain(POINT);
    expect(passIn({ setting: `${POINT}#2`, passes })).toEqual({ signal: null, passed: 4 });
  });

  test('a failpoint read from a file kills the process only after its name is written there', () => {
    const setting = `@${join(dir, 'armed')}`;
    const passes = [POINT, ARM, POINT, POINT];
    expect(passIn({ setting, passes })).toEqual({ signal: 'SIGKILL', passed: 1 });
  });
});

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { file, args: command, cwd } = nodeCommand(FAILPOINT_PROGRAM, args);
  return spawnSync(file, command, {
    cwd,
    env: { ...environment(), ...REQUIRED_CONFIG, ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
}

/** Passes the points one after the other in a process of its own, which writes the file at ARM. */
function passIn({ setting, passes }: { setting: string; passes: readonly string[] }) {
  const script = `
    const { writeFileSync } = await import('node:fs');
    const { createFailpoints } = await import(${JSON.stringify(pathToFileURL(join(PROJECT, 'tools/failpoints/failpoints.ts')).href)});
    const points = createFailpoints(${JSON.stringify({ setting, markFile: join(dir, 'mark') })});
    for (const point of ${JSON.stringify(passes)}) {
      if (point === '${ARM}') {
        writeFileSync('${setting.slice(1)}', '${POINT}\\n');
        continue;
      }
      points.pass(...point.split(':'));
      process.stdout.write('.');
    }`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  const { signal, stdout } = spawnSync(process.execPath, args, { cwd: PROJECT, timeout: 30_000 });
  return { signal, passed: stdout.length };
}
