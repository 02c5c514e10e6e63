// Elements and texts. Whatever comes from the document reaches the page as textContent or as an attribute that holds no code:
// nothing here parses HTML.
const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const isNumber = value => typeof value === 'number' && Number.isFinite(value);
const asNumber = value => (isNumber(value) ? value : NaN);

// As the terminal writes metrics: counts as they are, four decimals, or four digits where they are small.
function numberText(value) {
  if (!isNumber(value)) return value === null || value === undefined ? '–' : String(value);
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return Math.abs(value) > 1e-3 ? value.toFixed(4) : value.toExponential(3);
}
const isAccuracy = name => /accuracy$/.test(name);
const metricText = (name, value) => (isAccuracy(name) && isNumber(value) ? `${(100 * value).toFixed(2)} %` : numberText(value));

function durationText(seconds) {
  if (!isNumber(seconds)) return '–';
  if (seconds < 1) return `${(1000 * seconds).toFixed(seconds < 0.0095 ? 1 : 0)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), two = n => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)} h`;
}
function bytesText(bytes) {
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (bytes < 1000 || unit === 'GB') return `${unit === 'B' ? bytes : bytes.toFixed(1)} ${unit}`;
    bytes /= 1000;
  }
}
const timeText = wall => (isNumber(wall) ? new Date(wall * 1000).toISOString().replace('T', ' ').slice(0, 19) + ' UTC' : '–');
const settingText = value => (typeof value === 'string' ? value : JSON.stringify(value));
const headingText = text => text.charAt(0).toUpperCase() + text.slice(1);
const plural = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;

// "m1[noise_factor=0.1]" is m1 at a point of a sweep.
const plainName = name => name.replace(/\[.*\]$/, '');
const pointOf = name => (/\[(.*)\]$/.exec(name) || [null, ''])[1];

// Where a number comes from: the stage, the port, the first digits of key and digest; links to both in full.
const stageId = (run, name) => `${run.anchor}-stage-${run.stages.findIndex(stage => stage.name === name)}`;
function sourceLink(run, source) {
  const title = `stage ${source.stage}, port ${source.port}\nkey ${source.key}\ndigest ${source.digest}`;
  return el('a', { class: 'source', href: `#${stageId(run, source.stage)}`, title },
    el('b', {}, `${source.stage}.${source.port}`), ` key ${source.key.slice(0, 8)} · digest ${source.digest.slice(0, 8)}`);
}
function sourcesLine(run, sources) {
  const seen = new Set();
  const fresh = sources.filter(source => source && !seen.has(source.stage + '.' + source.port) && seen.add(source.stage + '.' + source.port));
  if (fresh.length === 0) return null;
  const shown = fresh.slice(0, 8).map(source => sourceLink(run, source));
  const rest = fresh.slice(8).map(source => sourceLink(run, source));
  return el('p', { class: 'sources' }, el('span', {}, 'from'), shown,
    rest.length > 0 && el('details', {}, el('summary', {}, `and ${rest.length} more`), rest));
}
function sourceOf(run, stageName, port) {
  const stage = run.byName.get(stageName);
  const found = stage && (stage.ports || []).find(one => one.port === port);
  return found ? { stage: stageName, port, key: stage.key, digest: found.digest } : null;
}

function table(columns, rows, options = {}) {
  const numeric = columns.map((_, i) => rows.every(row => row[i] === undefined || row[i] === '' || /^[-+–]?[\d.,]*( ?%| points| s)?$/.test(String(row[i] instanceof Node ? 'x' : row[i]))));
  const cell = (tag, value, i) => el(tag, { class: numeric[i] ? 'number' : null }, value === undefined ? '' : value);
  return el('div', { class: 'scroll', tabindex: 0 }, el('table', { class: options.class },
    el('thead', {}, el('tr', {}, columns.map((name, i) => cell('th', name, i)))),
    el('tbody', {}, rows.map(row => el('tr', {}, columns.map((_, i) => cell('td', row[i], i)))))));
}

function section(run, name, title, ...children) {
  const inside = children.flat(Infinity).filter(Boolean);
  if (inside.length === 0) return null;
  return el('section', { id: `${run.anchor}-${name}`, 'data-title': title }, el('h2', {}, title), inside);
}
