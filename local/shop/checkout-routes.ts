/** The checkout: shows the form, and sends the order when Buy is pressed. */
import { Hono, type Context } from 'hono';
import { accepts } from 'hono/accepts';
import { LANGUAGES, toLanguage, type Language } from '../../domain/language.ts';
import { respondPage } from '../web/page.ts';
import { answerInWords, problemIn } from './answer-words.ts';
import { linesOf, readBasket, writeBasket, type BasketLine } from './basket.ts';
import { buy } from './buy.ts';
import { cartOf, fieldErrors, newForm, readForm, requestOf } from './checkout-form.ts';
import { checkoutPage, type CheckoutPage } from './checkout-page.ts';
import { offerTo } from './currency.ts';
import type { ShopDeps } from './dependencies.ts';
import { NO_TROUBLE } from './offers.ts';
import { orderIdOf } from './purchases.ts';

export function checkoutRoutes(deps: ShopDeps): Hono {
  const app = new Hono();
  app.get('/checkout', async (c) => {
    const lines = await basketOf(c, deps);
    if (lines.length === 0) return c.redirect('/shop', 303);
    return show(c, deps, { lines, form: newForm(languageOf(c)), errors: {}, answer: null });
  });
  app.post('/checkout', async (c) => {
    const lines = await basketOf(c, deps);
    const sent = readForm(await c.req.parseBody());
    if (sent === null) return c.redirect('/shop', 303);
    const { form, card, trouble } = sent;
    if (lines.length === 0) return c.redirect(placeAfterEmptied(deps, form.key), 303);
    const purchase = await buy(deps, {
      purchase: {
        key: form.key,
        order: requestOf(form, card, lines),
        trouble: [
          ...(card.faults.length > 0 ? [card.name] : []),
          ...(trouble.id === NO_TROUBLE ? [] : [trouble.name]),
        ],
      },
      presses: form.presses,
      faults: [...card.faults, ...trouble.faults],
      isShort: trouble.isShort ?? false,
      isLasting: form.lasts === 'always',
    });
    if (orderIdOf(purchase) !== null) writeBasket(c, {});
    const answer = purchase.answers.at(-1);
    if (answer === undefined || problemIn(answer)?.code !== 'invalid_request') {
      return c.redirect(`/shop/purchases/${form.key}`, 303);
    }
    const shown = { ...answerInWords(answer, (sku) => sku), afterMs: answer.afterMs };
    const next = { ...form, key: newForm(form.language).key };
    return show(c, deps, { lines, form: next, errors: fieldErrors(answer), answer: shown });
  });
  return app;
}

/** An earlier press of the same Buy has emptied the basket: its order is shown. */
function placeAfterEmptied({ purchases }: ShopDeps, key: string): string {
  return purchases.find(key) === undefined ? '/shop' : `/shop/purchases/${key}`;
}

/** The first one of the browser's languages that mails are written in. */
function languageOf(c: Context): Language {
  const supports = [...LANGUAGES];
  return toLanguage(
    accepts(c, {
      header: 'Accept-Language',
      supports,
      default: '',
      match: (accepted) =>
        accepted
          .toSorted((a, b) => b.q - a.q)
          .map(({ type }) => type.slice(0, 2).toLowerCase())
          .find((code) => supports.some((each) => each === code)) ?? '',
    }),
  );
}

async function basketOf(c: Context, { api }: ShopDeps): Promise<readonly BasketLine[]> {
  return linesOf(readBasket(c), offerTo(c, await api.products()).products);
}

async function show(
  c: Context,
  { api, site }: ShopDeps,
  shown: Omit<CheckoutPage, 'quote' | 'adjustments' | 'currency'>,
): Promise<Response> {
  const cart = cartOf(shown.lines);
  const page = { ...shown, ...cart, lines: shown.lines, quote: await api.quote(cart) };
  const status = page.answer === null ? 200 : 422;
  return respondPage(c, site, { title: 'Check out', main: checkoutPage(page), status });
}
