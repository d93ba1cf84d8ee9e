/** The sandbox's first page: the faults as switches, the ledgers, the clock. */
import { html } from 'hono/html';
import { MODE_WORDS, faultInWords, providerInWords } from '../../web/fault-words.ts';
import { timeInWords, type Html } from '../../web/page.ts';
import { MODES, OPERATIONS, PROVIDERS, type FaultView, type Provider } from '../faults.ts';
import { orderOf, type Intent } from '../payments/records.ts';
import { amountInWords } from './challenge-page.ts';

export interface IndexPage {
  /** The sandbox's address in the commands shown. */
  readonly origin: string;
  readonly faults: readonly FaultView[];
  /** Payments that wait for their shopper, newest first. */
  readonly waiting: readonly Intent[];
  readonly clock: { readonly now: number; readonly offsetMs: number };
}

export function indexPage({ origin, faults, waiting, clock }: IndexPage): Html {
  return html`<header class="title">
      <h1>Sandbox</h1>
      <p>
        It stands in for the payment provider, the warehouse, the mail server and the SMS provider.
      </p>
    </header>
    <section id="faults" aria-labelledby="faults-title">
      <h2 id="faults-title">Faults</h2>
      <p class="hint">
        A fault stays on until it is switched off, or for as often as you say. What a slow or late
        answer waits is in milliseconds.
      </p>
      ${PROVIDERS.map((provider) => switches(provider, faults))}
    </section>
    <div class="columns even">
      <section aria-labelledby="ledgers-title">
        <h2 id="ledgers-title">Ledgers</h2>
        <p>What really happened at each provider. A second charge would be a second row.</p>
        <ul>
          ${PROVIDERS.map(
            (each) => html`<li><a href="/ledger/${each}">${providerInWords(each)}</a></li>`,
          )}
          <li><a href="/inbox">Inbox</a>: the mails themselves</li>
          <li><a href="/sms">SMS</a>: the text messages themselves</li>
        </ul>
      </section>
      ${clockPart(clock)}
    </div>
    ${waitingPart(waiting)}
    <section aria-labelledby="commands-title">
      <h2 id="commands-title">The same by command</h2>
      <pre tabindex="0">${commands(origin)}</pre>
      <p class="hint">
        <a href="/faults">Faults as JSON</a>. Modes: ${MODES.join(', ')}. Also <code>rate</code> and
        <code>seed</code>, for faults at random that can be repeated.
      </p>
    </section>`;
}

function switches(provider: Provider, faults: readonly FaultView[]): Html {
  return html`<h3>${providerInWords(provider)}</h3>
    <ul class="switches">
      ${OPERATIONS[provider].map((operation) => {
        const isThere = (each: FaultView) =>
          each.provider === provider && each.operation === operation;
        return faultSwitch(`${provider}/${operation}`, faults.find(isThere));
      })}
    </ul>`;
}

function faultSwitch(place: string, fault: FaultView | undefined): Html {
  const isOn = fault !== undefined && fault.times !== 0;
  return html`<li class="${isOn ? 'on' : ''}">
    <form
      method="post"
      action="/faults/${place}"
      hx-post="/faults/${place}"
      hx-select="#faults > *"
      hx-target="#faults"
      hx-swap="innerMorph"
      hx-select-oob="#banner:innerHTML"
    >
      <strong>${place}</strong>
      <span class="state">${stateInWords(fault)}</span>
      <select name="mode" aria-label="What ${place} does">
        ${MODES.map(
          (mode) =>
            html`<option value="${mode}" ${mode === (fault?.mode ?? 'down') && html`selected`}>
              ${mode}: ${MODE_WORDS[mode]}
            </option>`,
        )}
      </select>
      <input
        type="number"
        name="times"
        min="1"
        max="1000000"
        placeholder="always"
        aria-label="How often ${place} does it"
      />
      <input
        type="number"
        name="latency_ms"
        min="0"
        max="120000"
        placeholder="ms"
        aria-label="How long ${place} waits, in milliseconds"
      />
      <button class="small" name="switch" value="on" aria-label="Switch the fault at ${place} on">
        On
      </button>
      <button
        class="small secondary"
        name="switch"
        value="off"
        aria-label="Switch the fault at ${place} off"
        ${!isOn && html`disabled`}
      >
        Off
      </button>
    </form>
  </li>`;
}

function stateInWords(fault: FaultView | undefined): string {
  if (fault === undefined) return 'works';
  const fired = `fired ${fault.fired} ×`;
  if (fault.times === 0) return `works again; ${fired}`;
  return `${faultInWords(fault).replace(/^.*?: /, '')}; ${fired}`;
}

/** Payments whose bank asks the shopper to confirm. */
function waitingPart(waiting: readonly Intent[]): Html {
  const shown = waiting.slice(0, MAX_WAITING);
  return html`<section aria-labelledby="waiting-title">
    <h2 id="waiting-title">Payments to confirm (${waiting.length})</h2>
    <p>
      What a bank asks the shopper to confirm (3-D Secure), such as a payment by
      <code>pm_card_threeDSecure2Required</code>. ${shown.length === 0 && 'None waits now.'}
    </p>
    <ul>
      ${shown.map(
        (intent) =>
          html`<li>
            <a href="/challenge/${intent.id}">${amountInWords(intent)}</a>, ${orderOf(intent)}
          </li>`,
      )}
    </ul>
  </section>`;
}

/** `2 d 3 h ahead of the real one`. */
function offsetInWords(offsetMs: number): string {
  if (offsetMs === 0) return 'the real one';
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  const parts = [
    [Math.floor(minutes / 1_440), 'd'],
    [Math.floor(minutes / 60) % 24, 'h'],
    [minutes % 60, 'min'],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).map((part) => part.join(' '));
  return `${shown.join(' ') || '0 min'} ${offsetMs > 0 ? 'ahead of' : 'behind'} the real one`;
}

const MAX_WAITING = 10;

function clockPart({ now, offsetMs }: IndexPage['clock']): Html {
  return html`<section aria-labelledby="clock-title">
    <h2 id="clock-title">Clock</h2>
    <p>
      The sandbox’s time is <strong>${timeInWords(new Date(now).toISOString())}</strong>,
      ${offsetInWords(offsetMs)}. Keys and authorizations expire by it.
    </p>
    <form method="post" action="/clock" class="actions">
      <button class="small" name="advance_ms" value="3600000">An hour ahead</button>
      <button class="small" name="advance_ms" value="86400000">A day ahead</button>
      <button class="small" name="advance_ms" value="691200000">Eight days ahead</button>
      <button class="small secondary" name="offset_ms" value="0">Real time</button>
    </form>
  </section>`;
}

function commands(origin: string): string {
  return [
    `curl -X PUT ${origin}/faults/warehouse/ship -d '{"mode": "down"}'`,
    `curl -X PUT ${origin}/faults/payments/capture -d '{"mode": "answer_lost", "times": 1}'`,
    `curl -X DELETE ${origin}/faults    # clear all faults`,
    `curl ${origin}/payments/intents/pi_.../challenge -d '{"outcome": "authenticated"}'    # or failed`,
    `curl -X DELETE ${origin}/ledger    # clear the ledgers, the inbox and the SMS`,
  ].join('\n');
}
