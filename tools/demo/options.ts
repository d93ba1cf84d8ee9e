/** The command line of the demo. */
import { parseArgs } from 'node:util';
import { UsageError, usageChecked } from '../usage.ts';
import { PATTERNS } from './patterns.ts';
import type { PatternDemo } from './stage.ts';
import { WORK } from './work.ts';

export const USAGE = `Usage: npm run demo                  seven scenarios, each checked
       npm run demo -- work          one scene for each kind of work, with its times
       npm run demo -- <pattern>...  breaks something, and shows what the pattern does about it
       npm run demo -- --list        names the patterns`;

/** `patterns`: those to show, and the scenes of `work`; none: the scenarios. `list`: only name them. */
export interface DemoOptions {
  readonly list: boolean;
  readonly patterns: readonly (PatternDemo & { readonly name: string })[];
}

/** Reads the arguments. Throws UsageError. */
export function readOptions(args: readonly string[]): DemoOptions {
  const options = { list: { type: 'boolean', default: false } } as const;
  const { values, positionals } = usageChecked(() =>
    parseArgs({ args: [...args], options, allowPositionals: true }),
  );
  const patterns = positionals.flatMap((name) => {
    if (name === 'work')
      return Object.entries(WORK).map(([row, scene]) => ({ name: row, ...scene }));
    const pattern = Object.hasOwn(PATTERNS, name) ? PATTERNS[name] : undefined;
    if (pattern !== undefined) return [{ name, ...pattern }];
    throw new UsageError(
      `There is no pattern ${name}. Known: ${Object.keys(PATTERNS).join(', ')}.`,
    );
  });
  return { list: values.list, patterns };
}

/** One line for each pattern. */
export function listPatterns(): string {
  return Object.entries(PATTERNS)
    .map(([name, { story }]) => `  ${name.padEnd(22)}${story}`)
    .join('\n');
}
