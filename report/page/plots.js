// Plots: Vega-Lite, drawn as SVG with Vega's interpreter (the page allows no eval), in the page's own colours, redrawn when these
// or the width change.
const plots = [];
let drawing = Promise.resolve();

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = () => [1, 2, 3, 4, 5, 6, 7, 8].map(i => css(`--plot-${i}`));

function theme() {
  const quiet = css('--quiet'), line = css('--line'), ink = css('--ink');
  return {
    background: null, font: css('--font'), padding: 2,
    view: { stroke: null },
    range: { category: palette(), heatmap: [css('--card'), css('--plot-1')] },
    axis: { labelColor: quiet, titleColor: quiet, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', labelFont: css('--font'), titleFont: css('--font') },
    legend: { labelColor: ink, titleColor: quiet, labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', orient: 'bottom', symbolStrokeWidth: 2, labelFont: css('--font'), titleFont: css('--font'), labelLimit: 220 },
    text: { color: ink, font: css('--font') }, title: { color: ink, font: css('--font') },
  };
}

const tip = el('div', { id: 'tip', role: 'tooltip', hidden: true });
function showTip(_, event, item, value) {
  if (value === null || value === undefined || value === '') { tip.hidden = true; return; }
  const rows = typeof value === 'object' ? Object.entries(value) : [['', value]];
  tip.replaceChildren(...rows.map(([name, text]) => el('div', {}, name && el('span', {}, name), el('b', {}, text))));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, document.documentElement.clientWidth - box.width - 6))}px`;
  tip.style.top = `${event.clientY + 16 + box.height > window.innerHeight ? event.clientY - box.height - 12 : event.clientY + 16}px`;
}

async function draw(entry) {
  const width = Math.floor(entry.holder.clientWidth);
  if (width < 50) return;
  entry.width = width;
  try {
    const spec = vegaLite.compile(entry.make(width), { config: theme() }).spec;
    const view = new vega.View(vega.parse(spec, null, { ast: true }),
      { expr: expressionInterpreter, renderer: 'svg', hover: true, logLevel: vega.Error });
    view.tooltip(showTip);
    const fresh = el('div', { class: 'canvas' });
    view.initialize(fresh);
    await view.runAsync();
    entry.holder.replaceChildren(fresh);
    if (entry.view) entry.view.finalize();
    entry.view = view;
  } catch (error) {
    entry.holder.replaceChildren(el('p', { class: 'notice' }, `this plot cannot be drawn: ${error.message}`));
    console.error(error);
  }
}
function redraw(which) {
  document.body.dataset.ready = 'no';
  drawing = drawing.then(async () => {
    for (const entry of which) await draw(entry);
  });
  const mine = drawing;
  mine.then(() => { if (mine === drawing) document.body.dataset.ready = 'yes'; });
}

// A figure that `make(width)` gives the Vega-Lite specification of.
function plot(label, make) {
  const holder = el('div', { class: 'holder' });
  const figure = el('figure', { class: 'plot', role: 'img', 'aria-label': label }, holder);
  plots.push({ holder, make, figure });
  return figure;
}

function drawAll() {
  document.body.append(tip);
  redraw(plots);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw(plots));
  let waiting = 0;
  window.addEventListener('resize', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => redraw(plots.filter(entry => Math.floor(entry.holder.clientWidth) !== entry.width)), 150);
  });
  document.addEventListener('toggle', event => {
    redraw(plots.filter(entry => event.target.contains(entry.holder) && entry.width === undefined));
  }, true);
  document.addEventListener('scroll', () => { tip.hidden = true; }, { passive: true });
}
