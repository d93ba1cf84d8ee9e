/** The code in the documents is code that compiles, or it stands in the file that it is quoted from. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyDiff } from './support/apply-diff.ts';
import { compile, copyWithDiffs, writeSamples } from './support/documented-code.ts';
import { read } from './support/documents.ts';
import { fencesOf } from './support/markdown.ts';
import { makeDir } from './support/run-files.ts';

describe('samples', () => {
  test('the diffs of the documents apply to the code, and it compiles with them and every sample', async () => {
    const copy = await copyWithDiffs();
    writeSamples(copy);
    expect(await compile(copy)).toBe('');
    writeFileSync(join(copy, 'samples', 'wrong.ts'), 'export const wrong: string = 1;\n');
    expect(await compile(copy)).toContain('wrong.ts');
  });

  test.each(quotes())('the code in $document stands in $file', ({ file, text }) => {
    const source = bare(read(file));
    for (const part of text.split(/^\s*(?:\/\/|--) \.\.\.$/m)) {
      expect(source.includes(bare(part)), part).toBe(true);
    }
  });
});

describe('a diff of a document', () => {
  test('a diff that does not fit the code is refused with the lines that are missing', () => {
    const folder = makeDir('diff');
    writeFileSync(join(folder, 'a.ts'), 'const one = 1;\nconst two = 2;\n');
    const diff = (before: string): string =>
      `--- a/a.ts\n+++ b/a.ts\n@@\n ${before}\n-const two = 2;\n+const two = 3;\n`;
    expect(() => applyDiff(folder, diff('const other = 1;'))).toThrow('const other = 1;');
    applyDiff(folder, diff('const one = 1;'));
    expect(readFileSync(join(folder, 'a.ts'), 'utf8')).toBe('const one = 1;\nconst two = 3;\n');
  });
});

function quotes() {
  return ['ts', 'sql'].flatMap((language) =>
    fencesOf(language).flatMap(({ document, info, text }) => {
      const [, file] = /^file=(\S+)$/.exec(info) ?? [];
      return file === undefined ? [] : [{ document, file, text }];
    }),
  );
}

/** Without what the formatter decides. */
function bare(code: string): string {
  return code.replaceAll(/\s+/g, '').replaceAll(/,(?=[)\]}])/g, '');
}
