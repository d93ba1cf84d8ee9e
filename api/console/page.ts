/** What a page of the console is: its view, its parts, and what its forms do. */
import type { Context } from 'hono';
import type { html } from 'hono/html';
import type { Services } from '../context.ts';
import type { ProblemCode } from '../http/problems.ts';
import type { ApiEnv } from '../middleware/request.ts';

export type Html = ReturnType<typeof html>;

export interface ConsoleEnv {
  Bindings: ApiEnv['Bindings'];
  Variables: ApiEnv['Variables'] & {
    /** Sends a request to the API of this process, as the session's API key. */
    dispatch: (request: Request) => Promise<Response>;
    /** What this process measures of itself. */
    watched: Pick<Services, 'metrics' | 'trends'>;
  };
}

export type ConsoleContext = Context<ConsoleEnv>;

/** One page, reached at `/console` and `path`. `api/console/console.ts` has the list. */
export interface ConsolePage {
  /** `''` for the start; Hono's parameters otherwise, e.g. `/orders/:id`. */
  readonly path: string;
  readonly title: string;
  /** The whole page below its heading, or with it. */
  view(c: ConsoleContext): Promise<Html | View> | Html;
  /** What `lazyPart` loads on its own, by name. A part that fails leaves the others. */
  readonly parts?: Readonly<Record<string, (c: ConsoleContext) => Promise<Html>>>;
  /** What the page's forms do, by name (`actionForm`). */
  readonly actions?: Readonly<Record<string, Action>>;
}

/** A page whose heading is not the same for all addresses. */
export interface View {
  readonly title: string;
  /** Instead of the title alone. */
  readonly heading: Html;
  readonly main: Html;
  /** Where its events come from, if it changes by itself. */
  readonly live?: string | null;
  /** Why there is nothing but a problem to show. */
  readonly problem?: ProblemCode;
}

/** Calls the API for a form, and says what happened. */
export type Action = (c: ConsoleContext, form: ActionForm) => Promise<Notice>;

export interface ActionForm {
  /** The trimmed text of a field; empty when there is none. */
  text(field: string): string;
  /** Of this rendering of the form: a second press sends the same one. */
  readonly key: string;
}

/** The outcome of an action, shown above the page. */
export interface Notice {
  readonly tone: 'good' | 'bad';
  readonly text: Html | string;
}
