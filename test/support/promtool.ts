/**
 * Prometheus's promtool, which checks alert rules and evaluates them on given samples: the one on the
 * PATH, or built once with Go.
 */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { readStackConfig } from '../../config.ts';
import { run } from '../../local/stack/commands.ts';
import { buildWithGo } from '../../local/stack/go-build.ts';
import { cacheDir, PROJECT } from '../../local/stack/home.ts';
import { eventually } from './eventually.ts';
import { makeDir } from './run-files.ts';

export const RULES = join(PROJECT, 'docs/monitoring/alerts.yml');
const VERSION = '0.316.0';
const TIMEOUT_MS = 240_000;
/** For a test's hook. */
export const BUILD_TIMEOUT_MS = 1_800_000;

export type Promtool = (...args: readonly string[]) => Promise<string>;

/** Null where there is none and none can be built; says why. */
export async function findPromtool(): Promise<Promtool | null> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const binary = join(cacheDir(`promtool-${VERSION}`, readStackConfig()), 'promtool');
  for (const file of ['promtool', binary]) if (await runs(file, '--version')) return caller(file);
  const options = {
    module: `github.com/prometheus/prometheus/cmd/promtool@v${VERSION}`,
    flags: ['-tags', 'remove_all_sd'],
    title: `promtool ${VERSION} (some minutes, once)`,
    binary,
    say,
  };
  try {
    await onceAtATime(async () => {
      if (!existsSync(binary)) await buildWithGo(options);
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say(`the alert rules are not tested: no promtool on the PATH, and none was built: ${reason}`);
    return null;
  }
  return caller(binary);
}

/** Several test files need it; two builds at once would take as long as one after the other. */
async function onceAtATime(work: () => Promise<void>): Promise<void> {
  const lock = join(inject('runDir'), 'promtool.lock');
  await eventually(() => mkdirSync(lock), { timeoutMs: BUILD_TIMEOUT_MS, everyMs: 500 });
  try {
    await work();
  } finally {
    rmdirSync(lock);
  }
}

function caller(file: string): Promtool {
  return (...args) => run({ file, args }, { timeoutMs: TIMEOUT_MS });
}

async function runs(file: string, arg: string): Promise<boolean> {
  if (file.includes('/') && !existsSync(file)) return false;
  return run({ file, args: [arg] }, { timeoutMs: TIMEOUT_MS }).then(
    () => true,
    () => false,
  );
}

/** Samples from time 0 on, and which alerts fire when. */
export interface RuleTest {
  readonly name: string;
  /** Between two samples. */
  readonly interval: string;
  /** By series, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
  /** Looks at these alerts alone; at all unless given. */
  readonly only?: readonly string[];
  /** The names of all alerts that fire, by the time since the first sample. */
  readonly firing: Readonly<Record<string, readonly string[]>>;
}

/** Rejects with promtool's report when other alerts fire than the tests say. */
export function testRules(promtool: Promtool, tests: readonly RuleTest[]): Promise<string> {
  const file = join(makeDir('rules'), 'test.json');
  writeFileSync(file, JSON.stringify(fileOf(tests)));
  return promtool('test', 'rules', file);
}

/** JSON is YAML. The form: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/ */
function fileOf(tests: readonly RuleTest[]): object {
  return {
    rule_files: [RULES],
    evaluation_interval: '1m',
    tests: tests.map(({ name, interval, series, only = [], firing }) => ({
      name,
      interval,
      input_series: Object.entries(series).map(([each, values]) => ({ series: each, values })),
      promql_expr_test: Object.entries(firing).map(([time, names]) => ({
        expr: `group by (alertname) (ALERTS{alertstate="firing",alertname=~"${only.join('|') || '.+'}"})`,
        eval_time: time,
        exp_samples: names.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      })),
    })),
  };
}
