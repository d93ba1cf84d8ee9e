/** The charts of Home. */
import { html } from 'hono/html';
import type { ConsoleContext, Html } from './page.ts';

/** The part `charts` of Home. */
export async function charts(_c: ConsoleContext): Promise<Html> {
  return html``;
}
