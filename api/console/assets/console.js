// What htmx does not do: follow an order's events, move the focus, rest in a hidden tab, and say that
// no answer came.
(() => {
  /** Events come in bursts; one refresh shows them all. */
  const GATHER_MS = 150;
  let stream = null;
  let followed = null;

  /** A page that was replaced begins where the new one was read, so that no event is missed. */
  function follow() {
    const main = document.hidden ? null : document.querySelector('main[data-live]');
    if (main === followed) return;
    stream?.close();
    followed = main;
    stream = main === null ? null : open(main);
  }

  function open(main) {
    const source = new EventSource(main.dataset.live);
    let timer = null;
    // Events have names of their own, such as order.paid: the list is the server's.
    for (const type of main.dataset.types.split(' ')) {
      source.addEventListener(type, () => {
        clearTimeout(timer);
        timer = setTimeout(() => htmx.trigger(main, 'changed'), GATHER_MS);
      });
    }
    return source;
  }

  /** As `noticeBox` of layout.ts. */
  function notice(text) {
    document.querySelector('#notice')?.parentElement.remove();
    const frame = Object.assign(document.createElement('div'), { className: 'container' });
    const box = Object.assign(document.createElement('div'), { id: 'notice', tabIndex: -1 });
    Object.assign(box, { className: 'box bad', textContent: text, role: 'status' });
    frame.append(box);
    document.querySelector('main').before(frame);
    box.focus();
  }

  document.addEventListener('htmx:error', ({ detail }) => {
    if (detail.ctx?.request.method !== 'POST') return;
    notice('No answer came. Reload the page to see whether it was done.');
  });
  document.addEventListener('htmx:after:swap', () => {
    follow();
    const notice = document.querySelector('#notice:not([data-seen])');
    notice?.setAttribute('data-seen', '');
    notice?.focus();
  });
  document.addEventListener('htmx:before:request', (event) => {
    const { request, sourceElement } = event.detail.ctx;
    // A tab that was opened in the background loads once.
    const isAgain = sourceElement.querySelector('[data-loading]') === null;
    if (document.hidden && request.method === 'GET' && isAgain) event.preventDefault();
  });
  document.addEventListener('visibilitychange', () => {
    follow();
    if (followed !== null) htmx.trigger(followed, 'changed');
  });
  document.addEventListener('DOMContentLoaded', follow);
})();
