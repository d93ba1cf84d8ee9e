/** What the documents ask a reader to run, open or send exists as it is written. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { faultSchema, isPlace, PROVIDERS } from '../local/sandbox/faults.ts';
import { CARDS, TROUBLES } from '../local/shop/offers.ts';
import { PROJECT } from '../local/stack/home.ts';
import { PATTERNS } from '../tools/demo/patterns.ts';
import { read } from './support/documents.ts';
import { anchorsOf, commandsIn, DOCUMENTS, fencesOf, proseOf } from './support/markdown.ts';

const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json')));
const SHELL = fencesOf('sh');

describe('links', () => {
  test('every link of a document leads to a file, and its anchor to a heading there', () => {
    const dead = DOCUMENTS.flatMap((document) =>
      linksIn(document)
        .filter(({ file, anchor }) => !existsSync(join(PROJECT, file)) || !hasAnchor(file, anchor))
        .map(({ target }) => `${document}: ${target}`),
    );
    expect(dead).toEqual([]);
  });

  test('every document of docs can be reached from the index by wish', () => {
    const linked = new Set(linksIn('docs/README.md').map(({ file }) => file));
    const missing = DOCUMENTS.filter((document) => document.startsWith('docs/'))
      .filter((document) => !/^docs\/(decisions\/\d|README)/.test(document))
      .filter((document) => !linked.has(document));
    expect(missing).toEqual([]);
  });
});

describe('commands', () => {
  test('every npm script that a document names exists', () => {
    const unknown = npmRuns().filter(({ script }) => scripts[script] === undefined);
    expect(unknown).toEqual([]);
    expect(npmRuns().length).toBeGreaterThan(30);
  });

  test('every flag of a documented command is one that its program knows', () => {
    const unknown = npmRuns().flatMap(({ document, script, args }) => {
      const source = sourceOf(script);
      const flags = [...args.matchAll(/--([a-z][\w-]*)/g)].map(([, flag = '']) => flag);
      return flags
        .filter((flag) => !new RegExp(`--${flag}\\b`).test(source))
        .map((flag) => `${document}: npm run ${script} -- --${flag}`);
    });
    expect(unknown).toEqual([]);
  });

  test('a documented command whose output is JSON, piped or redirected keeps the lines of npm out of it', () => {
    const commands = SHELL.flatMap(({ text }) => commandsIn(text));
    const used = commands.filter((command) => /npm run .*(?:\||>|--json)/.test(command));
    expect(used.length).toBeGreaterThan(1);
    expect(used.filter((command) => !command.includes('npm run --silent '))).toEqual([]);
  });

  test('every fault that a document arms or clears is one of the sandbox', () => {
    const faults = SHELL.flatMap(({ text }) => commandsIn(text)).flatMap((command) => {
      const [, provider = '', operation = ''] = /\/faults\/([a-z]+)\/([a-z]+)/.exec(command) ?? [];
      return provider === '' ? [] : [{ command, place: { provider, operation } }];
    });
    expect(faults.length).toBeGreaterThan(1);
    for (const { command, place } of faults) {
      expect(isPlace(place), command).toBe(true);
      const [, body = ''] = / -d '(.*?)'/.exec(command) ?? [];
      expect(faultSchema.safeParse(JSON.parse(body)).success, command).toBe(true);
    }
  });

  test('every path of the sandbox in a command is one that it serves', () => {
    const providers = PROVIDERS.join('|');
    const served = new RegExp(
      `^/(faults(/\\w+/\\w+)?|inbox|clock|shop|payments/intents/|ledger(/(${providers}))?)?$`,
    );
    const paths = SHELL.flatMap(({ text }) =>
      [...text.matchAll(/\$SANDBOX(\/[\w/-]*)?/g)].map(([, path = '']) => path),
    );
    expect(paths.length).toBeGreaterThan(4);
    expect(paths.filter((path) => !served.test(path))).toEqual([]);
  });
});

describe('the patterns', () => {
  test('each pattern has a page and a demo, and the page names its demo', () => {
    const pages = readdirSync(join(PROJECT, 'docs', 'patterns')).map((file) => file.slice(0, -3));
    expect(pages.toSorted()).toEqual(Object.keys(PATTERNS).toSorted());
    for (const name of pages) {
      expect(read(`docs/patterns/${name}.md`), name).toContain(`npm run demo -- ${name}\n`);
    }
  });

  test('the trouble and the card that a page names are those that the shop offers', () => {
    const offered = [...TROUBLES, ...CARDS].map(({ name }) => name);
    const made = Object.keys(PATTERNS).flatMap((name) =>
      [...read(`docs/patterns/${name}.md`).matchAll(/^In the shop: .*$/gm)].flatMap(([line]) =>
        [...line.matchAll(/"([^"]+)"/g)].map(([, quoted = '']) => quoted),
      ),
    );
    expect(made.length).toBeGreaterThan(4);
    expect(made.filter((name) => !offered.includes(name))).toEqual([]);
  });

  test.each(Object.keys(PATTERNS))('the page of the pattern %s is a screen and a half', (name) => {
    const outside = read(`docs/patterns/${name}.md`)
      .split('\n')
      .filter((line) => line[0] !== '|');
    expect(outside.length).toBeLessThanOrEqual(75);
  });
});

interface Link {
  readonly target: string;
  readonly file: string;
  readonly anchor: string;
}

/** Links within the project. */
function linksIn(document: string): readonly Link[] {
  return [...proseOf(document).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^(https?:|mailto:|\/)/.test(target))
    .map((target) => {
      const [path = '', anchor = ''] = target.split('#');
      const file = path === '' ? document : join(dirname(document), path).replaceAll('\\', '/');
      return { target, file, anchor };
    });
}

function hasAnchor(file: string, anchor: string): boolean {
  return anchor === '' || anchorsOf(file).has(anchor);
}

interface NpmRun {
  readonly document: string;
  readonly script: string;
  readonly args: string;
}

/** Every `npm run` in blocks and in the text, with what follows the two dashes. */
function npmRuns(): readonly NpmRun[] {
  return DOCUMENTS.flatMap((document) =>
    [...read(document).matchAll(/npm run (?:--silent )?([a-z][\w:]*)((?: -- [^\n`#|]*)?)/g)].map(
      ([, script = '', args = '']) => ({ document, script, args }),
    ),
  );
}

/** The sources of a script's program: its own folder of tools/, or its file. */
function sourceOf(script: string): string {
  const [, file = ''] = / (\S+\.ts)/.exec(scripts[script] ?? '') ?? [];
  if (!file.startsWith('tools/')) return file === '' ? '' : read(file);
  const folder = dirname(file);
  const files = readdirSync(join(PROJECT, folder)).filter((name) => name.endsWith('.ts'));
  return files.map((name) => read(join(folder, name))).join('\n');
}
