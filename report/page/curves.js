// Curves over the epochs: every epoch of every training, side by side; smoothed as TensorBoard does, the numbers themselves
// faintly beneath.

// Exponential moving average without the bias of its start (Kingma and Ba 2015, section 3): what is not finite passes through, and
// so does a series of one value.
function smoothed(values, weight) {
  const finite = values.filter(isNumber);
  if (weight <= 0 || finite.every(value => value === finite[0])) return values.slice();
  let last = 0, count = 0;
  return values.map(value => {
    if (!isNumber(value)) return value;
    last = weight * last + (1 - weight) * value;
    count += 1;
    return last / (1 - Math.pow(weight, count));
  });
}

const baseMetric = column => column.replace(/^(train|val)\//, '');
const partOf = column => (column.startsWith('val/') ? 'validation' : column.startsWith('train/') ? 'training' : '');
const NOT_CURVES = new Set(['epoch', 'step', 'wall_time', 'epochs']);

// Metric -> family (a stage's plain name) -> its curves, in the order of the run; loss and accuracy first.
function curveFamilies(run) {
  const metrics = new Map();
  for (const curve of run.curves) {
    for (const column of Object.keys(curve.columns)) {
      if (NOT_CURVES.has(column)) continue;
      const metric = baseMetric(column), family = plainName(curve.stage);
      if (!metrics.has(metric)) metrics.set(metric, new Map());
      if (!metrics.get(metric).has(family)) metrics.get(metric).set(family, []);
      metrics.get(metric).get(family).push({ curve, column });
    }
  }
  const rank = name => (name === 'loss' ? 0 : name === 'accuracy' ? 1 : name === 'lr' ? 3 : 2);
  return [...metrics].sort((a, b) => rank(a[0]) - rank(b[0]));
}

function curveRows(members, weight) {
  const rows = [];
  for (const { curve, column } of members) {
    const values = curve.columns[column].map(asNumber), soft = smoothed(values, weight);
    values.forEach((value, i) => rows.push({
      epoch: curve.columns.epoch ? curve.columns.epoch[i] : i + 1, raw: isNumber(value) ? value : null, value: isNumber(soft[i]) ? soft[i] : null,
      part: partOf(column) || 'training', point: pointOf(curve.stage) || curve.stage, series: `${curve.stage} ${column}`,
      text: metricText(column, value), name: `${curve.stage} ${column}`,
    }));
  }
  return rows;
}

// Whole epochs, evenly spaced, at most eight.
function epochTicks(rows) {
  const epochs = [...new Set(rows.map(row => row.epoch))].sort((a, b) => a - b);
  const every = Math.ceil(epochs.length / 8);
  return epochs.filter((_, i) => i % every === 0);
}

function curvePlot(metric, members, controls) {
  return width => {
    const weight = controls.weight, rows = curveRows(members, weight);
    const positive = rows.every(row => row.raw === null || row.raw > 0);
    const log = controls.log && positive;
    const points = new Set(rows.map(row => row.point)).size, ticks = epochTicks(rows), epochs = new Set(rows.map(row => row.epoch)).size;
    const x = { field: 'epoch', type: 'quantitative', title: 'epoch', axis: { values: ticks, format: 'd', grid: false }, scale: { nice: false, domain: epochs === 1 ? [rows[0].epoch - 0.5, rows[0].epoch + 0.5] : undefined } };
    const percent = isAccuracy(metric);
    const y = field => ({ field, type: 'quantitative', title: null, scale: log ? { type: 'log', nice: true } : { zero: false, nice: true }, axis: { format: percent ? '.0%' : log ? '~g' : '~r', tickCount: 5 } });
    const several = points > 1;
    const color = several
      ? { field: 'point', type: 'nominal', title: null, legend: points > 8 ? null : { columns: width < 420 ? 1 : 2 }, scale: points > 8 ? { scheme: 'viridis' } : undefined }
      : { field: 'part', type: 'nominal', title: null, ...(rows.some(row => row.part === 'validation') ? {} : { legend: null }), scale: { domain: ['training', 'validation'], range: [css('--plot-1'), css('--plot-2')] } };
    const strokeDash = { field: 'part', type: 'nominal', title: null, scale: { domain: ['training', 'validation'], range: [[1, 0], [5, 3]] }, ...(several ? {} : { legend: color.legend === null ? null : {} }) };
    const tooltip = [{ field: 'name', title: 'curve' }, { field: 'epoch', title: 'epoch' }, { field: 'text', title: metric }];
    const detail = { field: 'series' };
    const layer = [
      { mark: { type: 'line', strokeWidth: points > 20 ? 1 : 2, opacity: points > 20 ? 0.6 : 1 }, encoding: { x, y: y('value'), color, strokeDash, detail } },
      { mark: { type: 'point', filled: true, size: epochs > 30 || points > 8 ? 70 : 34, opacity: epochs > 30 || points > 8 ? 0 : 1 }, encoding: { x, y: y('value'), color, tooltip, detail } },
    ];
    if (weight > 0) layer.unshift({ mark: { type: 'line', strokeWidth: 1.5, opacity: 0.28 }, encoding: { x, y: y('raw'), color, detail } });
    return { width: width - 4, height: 240, autosize: { type: 'fit', contains: 'padding' }, data: { values: rows }, layer };
  };
}

function curves(run) {
  if (run.curves.length === 0) return null;
  const controls = { log: false, weight: 0 }, mine = [];
  const again = () => redraw(plots.filter(entry => mine.includes(entry.figure)));
  const shown = el('output', {}, '0');
  const log = el('input', { type: 'checkbox', class: 'log', change: event => { controls.log = event.target.checked; again(); } });
  let frame = 0;
  const slider = el('input', { type: 'range', class: 'smoothing', min: 0, max: 0.99, step: 0.01, value: 0, input: event => {
    controls.weight = Number(event.target.value);
    shown.textContent = event.target.value;
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(again);
  } });
  const groups = curveFamilies(run).map(([metric, families]) => el('div', { class: 'curves' }, el('h3', {}, metric),
    el('div', { class: 'grid' }, [...families].map(([family, members]) => {
      const figure = plot(`${metric} of ${family} over the epochs`, curvePlot(metric, members, controls));
      mine.push(figure);
      const about = (run.stages.find(stage => plainName(stage.name) === family) || {}).about;
      return el('div', { class: 'cell' }, el('h4', {}, family, about && el('small', {}, ` ${about}`)), figure);
    }))));
  const withoutArtifact = run.curves.filter(curve => !curve.source).map(curve => curve.stage);
  return section(run, 'curves', 'Curves over the epochs',
    el('div', { class: 'controls' }, el('label', {}, log, ' logarithmic'), el('label', {}, 'smoothing ', slider, ' ', shown)), groups,
    withoutArtifact.length > 0 && el('p', { class: 'notice' }, `From the run's record, since no artifact has them: ${withoutArtifact.join(', ')}`),
    sourcesLine(run, run.curves.map(curve => curve.source)));
}
