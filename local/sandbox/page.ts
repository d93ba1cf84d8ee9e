/** The sandbox's first page, for a person: where everything is and how a fault is armed. */
import { html } from 'hono/html';
import { MODES, OPERATIONS, PROVIDERS, type Faults } from './faults.ts';

type Html = ReturnType<typeof html>;

/** One HTML page. `origin` is the address it was asked at; it appears in the commands shown. */
export function indexPage(origin: string, armed: ReturnType<Faults['list']>): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Sandbox</title>
        <style>
          body {
            font:
              16px/1.5 system-ui,
              sans-serif;
            max-width: 48rem;
            margin: 2rem auto;
            padding: 0 1rem;
          }
          pre {
            background: #f4f4f4;
            padding: 0.75rem;
            overflow-x: auto;
          }
        </style>
      </head>
      <body>
        <h1>Sandbox</h1>
        <p>The providers' stand-in: payments, warehouse and mail, each with books of its own.</p>
        <ul>
          <li><a href="/inbox">Inbox</a>: every mail that arrived</li>
          ${PROVIDERS.map((each) => ledgerLink(each))}
          <li><a href="/faults">Faults</a>: armed ones, and how often each fired</li>
          <li><a href="/clock">Clock</a></li>
        </ul>
        <h2>Arm a fault</h2>
        <pre>${commands(origin)}</pre>
        <p>Modes: ${MODES.join(', ')}.</p>
        <ul>
          ${PROVIDERS.map((each) => html`<li>${each}: ${OPERATIONS[each].join(', ')}</li>`)}
        </ul>
        <h2>Armed now</h2>
        ${
          armed.length === 0
            ? html`<p>None.</p>`
            : html`<ul>
                ${armed.map(armedFault)}
              </ul>`
        }
      </body>
    </html>`;
}

function ledgerLink(provider: string): Html {
  return html`<li>
    <a href="/ledger/${provider}">Ledger of ${provider}</a>: what really happened
  </li>`;
}

function armedFault({
  provider,
  operation,
  mode,
  fired,
}: ReturnType<Faults['list']>[number]): Html {
  return html`<li>${provider}/${operation}: ${mode}, fired ${fired} times</li>`;
}

function commands(origin: string): string {
  return [
    `curl -X PUT ${origin}/faults/warehouse/ship -d '{"mode": "down"}'`,
    `curl -X PUT ${origin}/faults/payments/capture -d '{"mode": "answer_lost", "times": 1}'`,
    `curl -X DELETE ${origin}/faults    # heal everything`,
    `curl -X DELETE ${origin}/ledger    # empty the ledgers and the inbox`,
  ].join('\n');
}
