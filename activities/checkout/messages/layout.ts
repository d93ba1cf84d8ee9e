/**
 * The layout of every e-mail: one structure, rendered as text and as HTML. Names, labels and tracking
 * numbers come from outside, so `html` escapes every value. Mail programs drop style sheets and scripts:
 * styles are inline, nothing is loaded, and the colors are the reader's own, in light and dark mode.
 */
import { html } from 'hono/html';
import type { Language } from '../../../domain/language.ts';

export interface EmailContent {
  readonly language: Language;
  readonly subject: string;
  readonly heading: string;
  /** Begins with the greeting. */
  readonly paragraphs: readonly string[];
  /** Such as the carrier. */
  readonly facts: readonly Fact[];
  readonly table: EmailTable;
  readonly link: Fact | null;
  readonly footer: string;
}

interface Fact {
  readonly label: string;
  readonly value: string;
}

interface EmailTable {
  readonly title: string;
  readonly head: readonly [item: string, quantity: string, amount: string];
  readonly rows: readonly {
    readonly item: string;
    /** Null: of an adjustment. */
    readonly quantity: number | null;
    readonly amount: string;
  }[];
  /** Below the rows. */
  readonly sums: readonly Fact[];
}

export interface Email {
  readonly language: Language;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Renders both parts. */
export async function renderEmail(content: EmailContent): Promise<Email> {
  const { language, subject } = content;
  return { language, subject, text: textPart(content), html: await htmlPart(content) };
}

function textPart({ heading, paragraphs, facts, table, link, footer }: EmailContent): string {
  const rows = table.rows.map(({ item, quantity, amount }) =>
    quantity === null ? `  ${item}: ${amount}` : `  ${quantity} x ${item}: ${amount}`,
  );
  const parts = [
    heading,
    ...paragraphs,
    facts.map(factLine).join('\n'),
    [table.title, ...rows, ...table.sums.map(factLine)].join('\n'),
    link === null ? '' : factLine(link),
    footer,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function factLine({ label, value }: Fact): string {
  return `${label}: ${value}`;
}

const PAGE = 'max-width:36em;margin:0 auto;padding:16px;font:16px/1.5 system-ui,sans-serif';
const TABLE = 'width:100%;border-collapse:collapse';
const ROW = 'border-top:1px solid #888';
const CAPTION = 'text-align:left;font-weight:bold;padding:8px 0';
const BUTTON = 'display:inline-block;padding:8px 16px;border:1px solid #888;border-radius:6px';

async function htmlPart(content: EmailContent): Promise<string> {
  const { language, subject, heading, paragraphs, facts, link, footer } = content;
  const page = html`<!doctype html>
    <html lang="${language}" style="color-scheme:light dark">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="supported-color-schemes" content="light dark" />
        <title>${subject}</title>
      </head>
      <body style="margin:0">
        <main lang="${language}" style="${PAGE}">
          <h1 style="font-size:1.4em;line-height:1.2">${heading}</h1>
          ${paragraphs.map((paragraph) => html`<p dir="auto">${paragraph}</p>`)}
          ${facts.length > 0 && html`<p>${facts.map(factPart)}</p>`} ${tablePart(content.table)}
          ${link !== null && linkPart(link)}
          <p style="font-size:.875em">${footer}</p>
        </main>
      </body>
    </html>`;
  // Every value is one line, so this is the indentation alone, which a mail need not carry.
  return (await page).toString().replaceAll(/\n\s+/g, '\n');
}

type Html = ReturnType<typeof html>;

function factPart({ label, value }: Fact): Html {
  return html`${label}: <strong dir="auto">${value}</strong><br />`;
}

function linkPart({ label, value }: Fact): Html {
  return html`<p><a href="${value}" style="${BUTTON}">${label}</a></p>`;
}

function tablePart({ title, head, rows, sums }: EmailTable): Html {
  const [item, quantity, amount] = head;
  return html`<table style="${TABLE}" cellpadding="6">
    <caption style="${CAPTION}">
      ${title}
    </caption>
    <thead>
      <tr>
        <th scope="col" align="left">${item}</th>
        <th scope="col" align="right">${quantity}</th>
        <th scope="col" align="right">${amount}</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          html`<tr style="${ROW}">
            <td dir="auto">${row.item}</td>
            <td align="right">${row.quantity}</td>
            <td align="right" nowrap>${row.amount}</td>
          </tr>`,
      )}
    </tbody>
    <tfoot>
      ${sums.map(
        (sum) =>
          html`<tr style="${ROW}">
            <th scope="row" colspan="2" align="left">${sum.label}</th>
            <td align="right" nowrap><strong>${sum.value}</strong></td>
          </tr>`,
      )}
    </tfoot>
  </table>`;
}
