/** Reads the Markdown of the project's documents: fenced blocks, commands, links and headings. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../../local/stack/home.ts';
import { read } from './documents.ts';

/** Every document of the project, relative to it. */
export const DOCUMENTS: readonly string[] = [
  ...readdirSync(PROJECT).filter((file) => file.endsWith('.md')),
  ...readdirSync(join(PROJECT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file).replaceAll('\\', '/')),
].toSorted();

export interface Fence {
  readonly document: string;
  readonly language: string;
  /** What follows the language, such as the file that is quoted. */
  readonly info: string;
  readonly text: string;
}

/** The fenced blocks of all documents in the language. */
export function fencesOf(language: string): readonly Fence[] {
  return DOCUMENTS.flatMap((document) =>
    [...read(document).matchAll(/^```(\S*) *(.*)\n([\s\S]*?)^```$/gm)]
      .map(([, name = '', info = '', text = '']) => ({ document, language: name, info, text }))
      .filter((fence) => fence.language === language),
  );
}

/** The document without its fenced blocks. */
export function proseOf(document: string): string {
  return read(document).replaceAll(/^```[\s\S]*?^```$/gm, '');
}

/** The commands of a shell block: lines that end in a backslash continue, comments are left out. */
export function commandsIn(text: string): readonly string[] {
  return text
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#\s.*$/, '').trim())
    .filter((line) => line !== '');
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(document: string): ReadonlySet<string> {
  const headings = [...proseOf(document).matchAll(/^#{1,6} (.+)$/gm)];
  return new Set(headings.map(([, title = '']) => anchorOf(title)));
}

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-');
}
