/** A provider's ledger as a table, newest effect first. */
import { html } from 'hono/html';
import { formatMoney } from '../../../domain/money.ts';
import { providerInWords } from '../../web/fault-words.ts';
import { timeInWords, type Html } from '../../web/page.ts';
import type { Provider } from '../faults.ts';
import type { Effect } from '../ledger.ts';
import { toMoney } from '../payments/parameters.ts';

const MAX_ROWS = 200;

/** `effects`: oldest first; `orderId`: the filter, or empty. */
export function ledgerPage(provider: Provider, effects: readonly Effect[], orderId: string): Html {
  const newest = effects.slice(-MAX_ROWS).toReversed();
  const name = providerInWords(provider);
  return html`<header class="title">
      <h1>Ledger: ${name}</h1>
      <p>
        ${effects.length}
        ${effects.length === 1 ? 'effect' : 'effects'}${orderId === '' ? '' : ` of ${orderId}`}, the
        newest ${newest.length} below. A repeat that changes nothing adds no row.
      </p>
    </header>
    <form method="get" class="filter" aria-label="Filter">
      <label
        >Order <input name="order" value="${orderId}" maxlength="64" placeholder="ord_…"
      /></label>
      <button>Filter</button>
    </form>
    <div class="scroll" role="region" aria-label="Effects" tabindex="0">
      <table>
        <thead>
          <tr>
            ${['Operation', 'Amount', 'Time', 'Order', 'Key'].map(
              (head) => html`<th scope="col">${head}</th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${newest.map(effectRow)}
          ${
            newest.length === 0 &&
            html`<tr>
              <td colspan="5">Nothing yet.</td>
            </tr>`
          }
        </tbody>
      </table>
    </div>`;
}

function effectRow(effect: Effect): Html {
  const { at, operation, amount_minor: amountMinor, currency, order_id: orderId, key } = effect;
  const amount = amountMinor !== undefined && currency && toMoney(amountMinor, currency);
  return html`<tr>
    <td>${operation}</td>
    <td>${amount && formatMoney(amount)}</td>
    <td>${timeInWords(at)}</td>
    <td>${orderId !== null && html`<a href="?order=${orderId}">${orderId}</a>`}</td>
    <td>${key}</td>
  </tr>`;
}
