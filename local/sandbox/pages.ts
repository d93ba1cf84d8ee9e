/** The sandbox's HTML pages. Everything from outside is shown as text, never as markup. */
import { html } from 'hono/html';
import { MODES, OPERATIONS, PROVIDERS, type Faults } from './faults.ts';
import type { Mail } from './mail/inbox.ts';

type Html = ReturnType<typeof html>;

/** Text and inline styles, nothing else. */
export const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** `origin` is the sandbox's address in the commands shown. */
export function indexPage(origin: string, armed: ReturnType<Faults['list']>): Html {
  const faults = armed.map(
    ({ provider, operation, mode, fired }) =>
      html`<li>${provider}/${operation}: ${mode}, fired ${fired} times</li>`,
  );
  return page(
    'Sandbox',
    html`
      <p>Stands in for the payment provider, the warehouse and the mail server.</p>
      <ul>
        <li><a href="/inbox">Inbox</a>: every mail received</li>
        ${PROVIDERS.map(
          (each) => html`<li><a href="/ledger/${each}">Ledger of ${each}</a>: every effect</li>`,
        )}
        <li><a href="/faults">Faults</a>: armed faults, and how often each fired</li>
        <li><a href="/clock">Clock</a></li>
      </ul>
      <h2>Arm a fault</h2>
      <pre>${commands(origin)}</pre>
      <p>Modes: ${MODES.join(', ')}.</p>
      <ul>
        ${PROVIDERS.map((each) => html`<li>${each}: ${OPERATIONS[each].join(', ')}</li>`)}
      </ul>
      <h2>Armed faults</h2>
      ${
        armed.length === 0
          ? html`<p>None.</p>`
          : html`<ul>
              ${faults}
            </ul>`
      }
    `,
  );
}

/** Newest mail first. */
export function inboxPage(mails: readonly Mail[]): Html {
  const articles = mails.toReversed().map(
    (mail) =>
      html`<article>
        <h2>${mail.subject}</h2>
        <p>To ${mail.to}, ${mail.at}, ${mail.message_id}</p>
        <pre>${mail.text}</pre>
      </article>`,
  );
  return page(`Inbox (${mails.length})`, mails.length === 0 ? html`<p>No mail yet.</p>` : articles);
}

function page(title: string, content: Html | Html[]): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        <style>
          body {
            font: 1rem/1.5 system-ui;
            max-width: 48rem;
            margin: 2rem auto;
          }
          pre {
            background: #f4f4f4;
            padding: 0.75rem;
            white-space: pre-wrap;
            overflow-wrap: anywhere;
          }
        </style>
      </head>
      <body>
        <h1>${title}</h1>
        ${content}
      </body>
    </html>`;
}

function commands(origin: string): string {
  return [
    `curl -X PUT ${origin}/faults/warehouse/ship -d '{"mode": "down"}'`,
    `curl -X PUT ${origin}/faults/payments/capture -d '{"mode": "answer_lost", "times": 1}'`,
    `curl -X DELETE ${origin}/faults    # clear all faults`,
    `curl -X DELETE ${origin}/ledger    # clear the ledgers and the inbox`,
  ].join('\n');
}
