// Draws every figure.chart from the table beneath it, which is also its text for screen readers.
(() => {
  const UTC = 'Etc/UTC';
  // Without the legend below it.
  const HEIGHT = 190;
  const DASHES = [[], [8, 4], [2, 4], [12, 4, 2, 4]];
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const plots = new Map();

  const clock = (seconds) =>
    new Date(seconds * 1000).toISOString().slice(11, seconds % 60 === 0 ? 16 : 19);

  // The rows are newest first: the first column is a time, each other one a series in its head's unit.
  const read = (table) => {
    const rows = [...table.tBodies[0].rows].reverse();
    const number = (text) => (text === '' || Number.isNaN(Number(text)) ? null : Number(text));
    const columns = [...table.tHead.rows[0].cells].slice(1).map((head, index) => ({
      label: head.textContent.trim(),
      values: rows.map((row) => number(row.cells[index + 1].textContent.trim())),
    }));
    const times = rows.map((row) => Date.parse(row.querySelector('time').dateTime) / 1000);
    return { columns, data: [times, ...columns.map(({ values }) => values)] };
  };

  const optionsOf = (plot, columns) => {
    const style = getComputedStyle(plot);
    const color = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: color('--chart-text'),
      grid: { stroke: color('--chart-grid'), width: 1 },
    };
    return {
      width: plot.clientWidth,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), UTC),
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [
        { ...axis, size: 28, space: 70, values: (_, splits) => splits.map(clock) },
        { ...axis, size: 56 },
      ],
      series: [
        { label: 'UTC', value: (_, seconds) => (seconds === null ? '' : clock(seconds)) },
        ...columns.map(({ label }, index) => ({
          label,
          stroke: color(`--chart-${index + 1}`),
          dash: DASHES[index],
          width: 2,
          points: { size: 4 },
        })),
      ],
    };
  };

  // Again only when something is different: a swap elsewhere on the page leaves the cursor alone.
  const draw = (figure) => {
    const plot = figure.querySelector('.plot');
    // The legend of a drawn chart is a table too.
    const table = figure.querySelector('details table');
    const state = `${plot.clientWidth} ${dark.matches} ${table.textContent}`;
    const before = plots.get(plot);
    if (before?.state === state) return;
    before?.chart?.destroy();
    const { columns, data } = read(table);
    const isEmpty = data[0].length === 0;
    const chart = isEmpty ? null : new uPlot(optionsOf(plot, columns), data, plot);
    plots.set(plot, { state, chart });
  };

  const drawAll = () => {
    for (const [plot, { chart }] of plots) {
      if (plot.isConnected) continue;
      chart?.destroy();
      plots.delete(plot);
    }
    document.querySelectorAll('figure.chart').forEach(draw);
  };

  drawAll();
  dark.addEventListener('change', drawAll);
  addEventListener('resize', drawAll);
  document.addEventListener('htmx:after:swap', drawAll);
})();
