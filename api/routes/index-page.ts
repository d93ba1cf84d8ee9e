/** The start page: what can be opened in this configuration, with one line about each. */
import { html } from 'hono/html';
import { workflowListPage, WORKFLOW_FILTERS, type TemporalUi } from '../../domain/pages.ts';

type Html = ReturnType<typeof html>;

export interface IndexPage {
  readonly console: boolean;
  readonly temporalUi: TemporalUi | null;
  /** The sandbox of `npm start`, with the demo shop; null where there is none. */
  readonly sandboxUrl: string | null;
}

export function indexPage({ console, temporalUi, sandboxUrl }: IndexPage): Html {
  return html`<h1>Holdfast</h1>
    <p class="lead">
      A durable checkout service: the API answers the shopper, and a workflow carries the order out.
    </p>
    <div class="cards">
      ${sandboxUrl !== null && tryIt(sandboxUrl)} ${operate(console, sandboxUrl !== null)}
      ${build()}
    </div>
    ${temporalUi !== null && html`<div class="cards wide">${workflows(temporalUi)}</div>`}`;
}

function tryIt(sandboxUrl: string): Html {
  return card('Try it', [
    [
      `${sandboxUrl}/shop`,
      'Demo shop',
      'Buy something, make trouble, watch what goes on behind the answer.',
    ],
    [`${sandboxUrl}/inbox`, 'Inbox', 'The mails to the customers; none leaves this machine.'],
    [
      `${sandboxUrl}/`,
      'Sandbox',
      'Payment provider, warehouse and mail server: ledgers, and faults as switches.',
    ],
  ]);
}

function operate(hasConsole: boolean, isLocal: boolean): Html {
  const signIn = isLocal ? ' Sign in with hf_local_operator.' : ' Sign in with an API key.';
  return card('Operate it', [
    ...(hasConsole
      ? [
          [
            '/console',
            'Console',
            `Orders, what waits for a person, stock, health.${signIn}`,
          ] as const,
        ]
      : []),
    ['/readyz', 'Readiness', 'Whether this process can work, and what it depends on.'],
    ['/metrics', 'Metrics', 'For Prometheus.'],
  ]);
}

function workflows(ui: TemporalUi): Html {
  return card(
    'Workflows in Temporal’s Web UI',
    WORKFLOW_FILTERS.map(
      ({ finds, query }) => [workflowListPage(ui, query), sentence(finds), query] as const,
    ),
  );
}

function build(): Html {
  return card('Build on it', [
    ['/docs', 'API reference', 'Every call, to be tried in the browser.'],
    ['/docs/errors', 'Problems', 'Every error code, and what it means.'],
    ['/openapi.json', 'OpenAPI', 'The document behind the reference, for generated clients.'],
  ]);
}

function card(
  title: string,
  links: readonly (readonly [href: string, text: string, about: string])[],
): Html {
  return html`<article>
    <h2>${title}</h2>
    <ul>
      ${links.map(
        ([href, text, about]) =>
          html`<li><a href="${href}">${text}</a> <small>${about}</small></li>`,
      )}
    </ul>
  </article>`;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}
