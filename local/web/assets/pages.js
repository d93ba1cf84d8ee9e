// What the pages do besides htmx: an order's live stream, and a Buy button that is pressed once.
'use strict';

/** Inserts a row into its list by its time, unless it is there. */
function insertRow({ list, id, at, html }) {
  const parent = document.getElementById(list);
  if (parent === null || document.getElementById(id) !== null) return;
  const template = document.createElement('template');
  template.innerHTML = html.trim();
  const later = [...parent.children].find((row) => Number(row.dataset.at) > at);
  parent.insertBefore(template.content, later ?? null);
}

/** Replaces a part of the page; the same part is not announced again. */
function replacePart({ id, html }) {
  const part = document.getElementById(id);
  if (part !== null && part.innerHTML.trim() !== html.trim()) part.innerHTML = html;
}

function follow(url) {
  const source = new EventSource(url);
  source.addEventListener('row', ({ data }) => insertRow(JSON.parse(data)));
  source.addEventListener('part', ({ data }) => replacePart(JSON.parse(data)));
  source.addEventListener('end', () => source.close());
  addEventListener('pagehide', () => source.close());
}

document.addEventListener('submit', ({ target, submitter }) => {
  if (!target.matches('[data-busy]') || submitter === null) return;
  // Afterwards, because a disabled button would not be sent.
  setTimeout(() => {
    submitter.setAttribute('aria-busy', 'true');
    for (const button of target.querySelectorAll('button')) button.disabled = true;
  });
});

/** Says above the page why a press changed nothing. */
function sayFailed(text) {
  document.getElementById('failed')?.remove();
  const frame = Object.assign(document.createElement('div'), { id: 'failed', role: 'alert' });
  const box = Object.assign(document.createElement('p'), {
    className: 'banner',
    textContent: text,
  });
  frame.className = 'container';
  frame.append(box);
  document.getElementById('main').before(frame);
}

document.addEventListener('htmx:response:error', () => {
  sayFailed('That did not work. Reload the page, then try again.');
});
document.addEventListener('htmx:error', () => {
  sayFailed('No answer came. Reload the page to see whether it was done.');
});
document.addEventListener('htmx:before:request', () => document.getElementById('failed')?.remove());

// A page that comes back by the back button is usable again.
addEventListener('pageshow', () => {
  for (const button of document.querySelectorAll('[data-busy] button')) {
    button.disabled = false;
    button.removeAttribute('aria-busy');
  }
});

/** Counts down to the time of a clock while it is on the page. */
function countDown(clock) {
  const show = () => {
    const seconds = Math.max(0, Math.ceil((Date.parse(clock.dateTime) - Date.now()) / 1_000));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    if (seconds === 0 || !clock.isConnected) clearInterval(timer);
  };
  const timer = setInterval(show, 1_000);
  show();
}

for (const clock of document.querySelectorAll('time[data-countdown]')) countDown(clock);
for (const { dataset } of document.querySelectorAll('[data-live]')) follow(dataset.live);
