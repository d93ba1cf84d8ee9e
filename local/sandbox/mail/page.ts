/** The inbox for a person's eyes. Everything a mail says is shown as text, never as markup. */
import { html } from 'hono/html';
import type { Mail } from './inbox.ts';

/** One HTML page, newest mail first. */
export function inboxPage(mails: readonly Mail[]): ReturnType<typeof html> {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Inbox (${mails.length})</title>
        <style>
          body {
            font:
              16px/1.5 system-ui,
              sans-serif;
            max-width: 48rem;
            margin: 2rem auto;
            padding: 0 1rem;
          }
          article {
            border-top: 1px solid #ccc;
            padding: 1rem 0;
          }
          h2 {
            font-size: 1rem;
            margin: 0;
          }
          p {
            color: #555;
            margin: 0;
          }
          pre {
            white-space: pre-wrap;
            overflow-wrap: anywhere;
          }
        </style>
      </head>
      <body>
        <h1>Inbox</h1>
        ${mails.length === 0 ? html`<p>No mail yet.</p>` : mails.toReversed().map(article)}
      </body>
    </html>`;
}

function article(mail: Mail): ReturnType<typeof html> {
  return html`<article>
    <h2>${mail.subject}</h2>
    <p>To ${mail.to}, ${mail.at}, ${mail.message_id}</p>
    <pre>${mail.text}</pre>
  </article>`;
}
