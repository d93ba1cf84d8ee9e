/** The checkout: address, test card, trouble, and the basket beside them. */
import { html } from 'hono/html';
import { LANGUAGES, type Language } from '../../domain/language.ts';
import { formatMoney } from '../../domain/money.ts';
import type { Html } from '../web/page.ts';
import type { AnswerWords } from './answer-words.ts';
import type { Adjustment, Quote } from './api.ts';
import type { BasketLine } from './basket.ts';
import type { CheckoutForm } from './checkout-form.ts';
import { CARDS, TROUBLES } from './offers.ts';

export interface CheckoutPage {
  readonly lines: readonly BasketLine[];
  readonly adjustments: readonly Adjustment[];
  readonly currency: string;
  readonly quote: Quote;
  readonly form: CheckoutForm;
  /** What was wrong with the form that was sent, by field. */
  readonly errors: Readonly<Record<string, string>>;
  /** What the shop answered to it; null before the first press. */
  readonly answer: (AnswerWords & { readonly afterMs: number }) | null;
}

export function checkoutPage(page: CheckoutPage): Html {
  const { lines, form, errors, answer, quote } = page;
  return html`<header class="title"><h1>Check out</h1></header>
    ${
      answer !== null &&
      html`<article class="outcome ${answer.tone}" role="alert">
        <h2>${answer.title}</h2>
        <p>${answer.text}</p>
        <footer>
          after <strong>${answer.afterMs} ms</strong> <small><code>${answer.code}</code></small>
        </footer>
      </article>`
    }
    <form method="post" action="/shop/checkout" class="columns" data-busy>
      <input type="hidden" name="key" value="${form.key}" />
      <input type="hidden" name="total_minor" value="${quote.total_minor ?? 0}" />
      <input type="hidden" name="quote" value="${quote.id ?? ''}" />
      <div>${addressPart(form, errors)} ${cardsPart(form)} ${troublePart(form)}</div>
      <section aria-labelledby="basket-title" class="aside">
        <h2 id="basket-title">Your basket</h2>
        <ul class="lines">
          ${lines.map(lineItem)}
        </ul>
        ${sumPart(page)}
        <button class="wide" name="presses" value="1">Buy</button>
        <button class="wide outline" name="presses" value="2">Buy, and press twice at once</button>
        <p class="hint">
          Twice at once: two requests with the same Idempotency-Key. It is one order all the same.
        </p>
        <p><a href="/shop">Back to the shop</a></p>
      </section>
    </form>`;
}

/** What it costs with what the shop adds, and what is wrong with it: as the quote says. */
function sumPart(page: CheckoutPage): Html {
  const { adjustments, currency, quote } = page;
  const { total_minor: totalMinor, expires_at: expiresAt, problems } = quote;
  return html`${adjustments.map((each) => adjustmentPart(each, currency))}
  ${
    totalMinor !== null &&
    html`<p class="total">
      Total <strong>${formatMoney({ amountMinor: totalMinor, currency })}</strong>
    </p>`
  }
  ${problems.map((problem) => html`<p class="notice">${problemInWords(problem, page)}</p>`)}
  ${
    expiresAt !== null &&
    html`<p class="hint">Quoted: these prices hold until ${expiresAt.slice(11, 16)} UTC.</p>`
  }`;
}

/** The API names the SKU; the shopper knows the product of the line. */
function problemInWords(
  { code, detail, pointer }: Quote['problems'][number],
  { lines }: CheckoutPage,
): string {
  const [, at] = /^#\/lines\/(\d+)\//.exec(pointer) ?? [];
  const line = at === undefined ? undefined : lines[Number(at)];
  const { available = null, name } = line?.product ?? {};
  if (code !== 'out_of_stock' || available === null) return detail;
  return available > 0 ? `Only ${available} of ${name} are left.` : `${name} is sold out.`;
}

/** Shipping and the like, in an order too. */
export function adjustmentPart(
  { label, amount_minor: amountMinor }: Adjustment,
  currency: string,
): Html {
  return html`<p class="sum">${label} <span>${formatMoney({ amountMinor, currency })}</span></p>`;
}

const FIELDS = [
  { name: 'name', label: 'Name', autocomplete: 'name' },
  { name: 'email', label: 'E-mail', autocomplete: 'email' },
  { name: 'phone', label: 'Telephone, for SMS', autocomplete: 'tel', isOptional: true },
  { name: 'line1', label: 'Street', autocomplete: 'address-line1' },
  { name: 'postal_code', label: 'Postal code', autocomplete: 'postal-code' },
  { name: 'city', label: 'City', autocomplete: 'address-level2' },
  { name: 'country', label: 'Country, two letters', autocomplete: 'country' },
] as const;

function addressPart(form: CheckoutForm, errors: CheckoutPage['errors']): Html {
  return html`<fieldset>
    <legend>Where it goes</legend>
    <div class="fields">
      ${FIELDS.map(({ name, label, autocomplete, ...field }) => {
        const error = errors[name];
        return html`<label>
          ${label}
          <input
            name="${name}"
            value="${form[name]}"
            autocomplete="${autocomplete}"
            maxlength="200"
            ${!('isOptional' in field) && html`required`}
            ${error !== undefined && html`aria-invalid="true" aria-describedby="${name}-error"`}
          />
          ${error !== undefined && html`<small id="${name}-error">${error}</small>`}
        </label>`;
      })}
    </div>
    <label class="inline">
      Messages in
      <select name="language">
        ${LANGUAGES.map((each) => languageOption(each, each === form.language))}
      </select>
    </label>
    <label>
      <input
        type="checkbox"
        name="sms_consent"
        value="yes"
        ${form.sms_consent === 'yes' && html`checked`}
      />
      Send me an SMS when it is shipped
    </label>
    <label>
      <input
        type="checkbox"
        name="fulfillment"
        value="ship_available"
        ${form.fulfillment === 'ship_available' && html`checked`}
      />
      If something is missing, send what is there
    </label>
  </fieldset>`;
}

/** A language in its own words. */
function languageOption(language: Language, isChosen: boolean): Html {
  const name = new Intl.DisplayNames(language, { type: 'language' }).of(language);
  return html`<option value="${language}" lang="${language}" ${isChosen && html`selected`}>
    ${name}
  </option>`;
}

function cardsPart({ card }: CheckoutForm): Html {
  return html`<fieldset>
    <legend>Test card</legend>
    <div class="choices">
      ${CARDS.map((each) =>
        choice({ ...each, field: 'card', checked: each.id === card, code: each.method }),
      )}
    </div>
  </fieldset>`;
}

function troublePart({ trouble, lasts }: CheckoutForm): Html {
  return html`<fieldset>
    <legend>Make trouble</legend>
    <div class="choices">
      ${TROUBLES.map((each) =>
        choice({ ...each, field: 'trouble', checked: each.id === trouble, code: '' }),
      )}
    </div>
    <label class="inline">
      How long
      <select name="lasts">
        <option value="order" ${lasts === 'order' && html`selected`}>For this order</option>
        <option value="always" ${lasts === 'always' && html`selected`}>
          Until I switch it off
        </option>
      </select>
    </label>
  </fieldset>`;
}

function choice(each: {
  readonly field: string;
  readonly id: string;
  readonly name: string;
  readonly effect: string;
  readonly code: string;
  readonly checked: boolean;
}): Html {
  const { field, id, name, effect, code, checked } = each;
  return html`<label class="choice">
    <input type="radio" name="${field}" value="${id}" ${checked && html`checked`} />
    <span>
      <strong>${name}</strong> ${code !== '' && html`<code>${code}</code>`}
      <small>${effect}</small>
    </span>
  </label>`;
}

function lineItem({ product, quantity, totalMinor }: BasketLine): Html {
  const { sku, name, currency } = product;
  return html`<li>
    <img src="/shop/pictures/${sku}.svg" alt="" width="64" height="48" />
    <span>
      ${quantity} × ${name}<br /><small
        >${formatMoney({ amountMinor: totalMinor, currency })}</small
      >
    </span>
  </li>`;
}
