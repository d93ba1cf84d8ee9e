// What htmx does not do: follow an order's events, move the focus, and rest in a hidden tab.
(() => {
  /** Events come in bursts; one refresh shows them all. */
  const GATHER_MS = 150;
  let stream = null;
  let address = null;

  function follow() {
    const main = document.querySelector('main[data-live]');
    const wanted = document.hidden ? null : (main?.dataset.live ?? null);
    if (wanted === address) return;
    stream?.close();
    address = wanted;
    stream = wanted === null ? null : open(wanted);
  }

  function open(url) {
    const source = new EventSource(url);
    let timer = null;
    // Events have names of their own, such as order.paid: the list is the server's.
    for (const type of document.querySelector('main').dataset.types.split(' ')) {
      source.addEventListener(type, () => {
        clearTimeout(timer);
        timer = setTimeout(refresh, GATHER_MS);
      });
    }
    return source;
  }

  function refresh() {
    const main = document.querySelector('main[data-live]');
    if (main !== null) htmx.trigger(main, 'changed');
  }

  document.addEventListener('htmx:after:swap', () => {
    follow();
    const notice = document.querySelector('#notice:not([data-seen])');
    notice?.setAttribute('data-seen', '');
    notice?.focus();
  });
  document.addEventListener('htmx:before:request', (event) => {
    if (document.hidden && event.detail.ctx.request.method === 'GET') event.preventDefault();
  });
  document.addEventListener('visibilitychange', () => {
    follow();
    if (!document.hidden) refresh();
  });
  document.addEventListener('DOMContentLoaded', follow);
})();
