/**
 * Vitest's reporter of what the servers said: after a run with failures, the last lines of the log of
 * each server that the failed files used.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { tail } from '../../local/stack/output.ts';
import { logPrefixOf } from './run-files.ts';

/** Used by every file. */
const SHARED = ['postgres.log', 'temporal.log'];

class ServerLogReporter implements Reporter {
  private vitest: Vitest | null = null;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const failed = modules.filter((module) => !module.ok());
    const runDir = this.vitest?.getRootProject().getProvidedContext().runDir;
    if (failed.length === 0 || runDir === undefined) return;
    const prefixes = failed.map((module) => logPrefixOf(module.moduleId));
    const logs = join(runDir, 'logs');
    const names = readdirSync(logs).filter(
      (name) => SHARED.includes(name) || prefixes.some((prefix) => name.startsWith(prefix)),
    );
    for (const name of names) {
      process.stdout.write(`\nThe last lines of ${name}:\n${tail(join(logs, name), 20)}\n`);
    }
  }
}

// oxlint-disable-next-line import/no-default-export -- Vitest loads a reporter by its default export
export default ServerLogReporter;
