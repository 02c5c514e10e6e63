// Sweeps: a metric over what was varied, mean and standard deviation over the repetitions; parallel coordinates where several
// parameters vary. Means, intervals and verdicts are those of the run's record: a sweep that has not finished shows its points alone.

// The points from the record, else from the names of the stages ("m1[noise_factor=0.1,seed=1]").
function sweepPoints(run) {
  if (run.points.length > 0) {
    return run.points.map(point => ({ settings: point.settings || {}, metrics: point.metrics || {}, error: (point.failures || []).map(one => `${one.stage}: ${one.error}`).join('; ') }));
  }
  const read = new Set(run.stages.flatMap(stage => stage.inputs.map(input => input.from)));
  const points = new Map();
  for (const stage of run.stages) {
    const text = pointOf(stage.name);
    if (!text || read.has(stage.name)) continue;
    if (!points.has(text)) {
      const settings = Object.fromEntries(text.split(',').map(part => part.split(/=(.*)/s)).map(([name, value]) => [name.trim(), value !== undefined && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value]));
      points.set(text, { settings, metrics: {}, error: '' });
    }
    const point = points.get(text), ports = Object.entries(stage.metrics || {});
    for (const [port, values] of ports) {
      for (const [name, value] of Object.entries(values)) point.metrics[`${plainName(stage.name)}.${ports.length > 1 ? port + '.' : ''}${name}`] = value;
    }
    if (!['ran', 'resumed', 'reused'].includes(stage.outcome)) point.error = point.error || stage.error || `${stage.name}: ${stage.outcome}`;
  }
  return [...points.values()];
}

// One group per setting: its values of `varied`, its points, and of each metric mean, sd and n.
function settingGroups(run, points, varied) {
  if (run.rows.length > 0) return run.rows.map(row => ({ settings: varied.map(axis => row.settings[axis]), points: row.points.map(i => points[i]), metrics: row.metrics, paired: row.paired }));
  const alone = metrics => Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, { mean: value, sd: null, n: 1 }]));
  return points.map(point => ({ settings: varied.map(axis => point.settings[axis]), points: [point], metrics: alone(point.metrics), paired: [] }));
}
const sampleText = ({ mean, sd }) => (!isNumber(mean) ? '–' : isNumber(sd) ? `${numberText(mean)} ± ${numberText(sd)}` : numberText(mean));

// The pairs of columns that stages compare and the points have.
const pairsAmong = (run, names) => run.paired.filter(pair => names.includes(pair.a) && names.includes(pair.b));
const pairOf = (pairs, name) => pairs.find(pair => pair.a === name || pair.b === name);
const percentMetric = (name, values, pairs) => isAccuracy((pairOf(pairs, name) || { metric: name }).metric) && values.every(value => value >= 0 && value <= 1);
// Compared columns share a picture if they are values of one metric; columns that are the same at every point come last.
function metricGroups(names, pairs, points) {
  const rest = names.filter(name => !pairOf(pairs, name)), varies = name => new Set(points.map(point => point.metrics[name])).size > 1;
  const compared = [...new Set(pairs.map(pair => pair.metric))].map(metric => names.filter(name => (pairOf(pairs, name) || {}).metric === metric));
  return [...compared, ...[...rest.filter(varies), ...rest.filter(name => !varies(name))].map(name => [name])];
}

function overAxis(axis, metrics, groups, varied, pairs) {
  const at = varied.indexOf(axis);
  const rows = [], raw = [];
  for (const group of groups) {
    const others = varied.filter(name => name !== axis).map(name => `${name}=${settingText(group.settings[varied.indexOf(name)])}`).join(', ');
    for (const metric of metrics) {
      const sample = group.metrics[metric];
      if (!sample || !isNumber(sample.mean)) continue;
      const { mean, n } = sample, sd = sample.sd || 0, series = [metrics.length > 1 ? metric : '', others].filter(Boolean).join(' · ') || metric;
      const common = { x: group.settings[at], series, metric };
      rows.push({ ...common, mean, low: mean - sd, high: mean + sd, n, text: sampleText(sample) });
      if (n > 1) group.points.map(point => point.metrics[metric]).filter(isNumber).forEach(value => raw.push({ ...common, value, text: numberText(value) }));
    }
  }
  const numeric = rows.every(row => isNumber(row.x)), series = new Set(rows.map(row => row.series)).size;
  const percent = metrics.every(metric => percentMetric(metric, rows.filter(row => row.metric === metric).map(row => row.mean), pairs));
  return width => {
    const x = { field: 'x', type: numeric ? 'quantitative' : 'ordinal', title: axis, axis: { grid: false, labelLimit: 90, labelOverlap: true }, scale: numeric ? { zero: false, padding: 12 } : undefined };
    const y = (field, more) => ({ field, type: 'quantitative', title: null, scale: { zero: false }, axis: { format: percent ? '.1%' : undefined, tickCount: 5 }, ...more });
    const color = { field: 'series', type: 'nominal', title: null, legend: series === 1 || series > 8 ? null : { columns: 1 }, scale: series > 8 ? { scheme: 'viridis' } : undefined };
    const tooltip = [{ field: 'series', title: 'what' }, { field: 'x', title: axis }, { field: 'text', title: 'mean ± sd' }, { field: 'n', title: 'n' }];
    return {
      width: width - 4, height: 230, autosize: { type: 'fit', contains: 'padding' },
      layer: [
        { data: { values: raw }, mark: { type: 'point', filled: true, size: 16, opacity: 0.35 }, encoding: { x, y: y('value'), color } },
        { data: { values: rows }, mark: { type: 'rule', strokeWidth: 1.5 }, encoding: { x, y: y('low'), y2: { field: 'high' }, color } },
        { data: { values: rows }, mark: { type: 'line', strokeWidth: 2 }, encoding: { x, y: y('mean'), color, detail: { field: 'series' } } },
        { data: { values: rows }, mark: { type: 'point', filled: true, size: 60, opacity: 1 }, encoding: { x, y: y('mean'), color, tooltip } },
      ],
    };
  };
}

function parallel(axes, metric, points) {
  const columns = [...axes, metric], values = points.filter(point => isNumber(point.metrics[metric]));
  const scales = columns.map(column => {
    const all = values.map(point => (column === metric ? point.metrics[metric] : point.settings[column]));
    const numeric = all.every(isNumber), levels = [...new Set(all.map(settingText))];
    const low = Math.min(...all), high = Math.max(...all);
    return { column, numeric, levels, low, high, at: value => (numeric ? (high > low ? (value - low) / (high - low) : 0.5) : (levels.indexOf(settingText(value)) + 0.5) / levels.length) };
  });
  const rows = values.flatMap((point, id) => scales.map((scale, order) => {
    const value = scale.column === metric ? point.metrics[metric] : point.settings[scale.column];
    return { id, order, column: scale.column, at: scale.at(value), colour: point.metrics[metric], text: columns.map(name => `${name} ${numberText(name === metric ? point.metrics[metric] : point.settings[name])}`).join(', ') };
  }));
  const ends = scales.flatMap((scale, order) => (scale.numeric
    ? [[0, numberText(scale.low)], [1, numberText(scale.high)]].slice(scale.high > scale.low ? 0 : 1)
    : scale.levels.map(level => [(scale.levels.indexOf(level) + 0.5) / scale.levels.length, level])).map(([at, text]) => ({ order, column: scale.column, at, text })));
  return width => {
    const x = { field: 'column', type: 'point', sort: columns, title: null, axis: { labelAngle: columns.length * 90 > width ? -30 : 0, domain: false, ticks: false, labelLimit: 130, orient: 'top' }, scale: { padding: 0.4 } };
    const y = { field: 'at', type: 'quantitative', axis: null, scale: { domain: [-0.05, 1.05] } };
    return {
      width: width - 4, height: 260, autosize: { type: 'fit', contains: 'padding' },
      layer: [
        { data: { values: columns.map(column => ({ column })) }, mark: { type: 'rule', color: css('--line'), strokeWidth: 2 }, encoding: { x: { ...x, type: 'ordinal' } } },
        { data: { values: rows }, mark: { type: 'line', opacity: values.length > 30 ? 0.5 : 0.8, strokeWidth: 1.6 }, encoding: { x: { ...x, type: 'ordinal' }, y, detail: { field: 'id' }, order: { field: 'order' }, color: { field: 'colour', type: 'quantitative', title: metric, scale: { scheme: 'viridis' }, legend: { gradientLength: Math.min(200, width - 120) } } } },
        { data: { values: rows }, mark: { type: 'point', size: 80, opacity: 0, filled: true }, encoding: { x: { ...x, type: 'ordinal' }, y, tooltip: [{ field: 'text', title: 'point' }] } },
        { data: { values: ends }, mark: { type: 'text', align: 'left', dx: 5, fontSize: 10 }, encoding: { x: { ...x, type: 'ordinal' }, y, text: { field: 'text' } } },
      ],
    };
  };
}

// The sentences of the run's own table.
function pairedTexts(groups, varied) {
  return groups.flatMap(group => {
    const where = varied.map((axis, i) => `${axis} = ${settingText(group.settings[i])}`).join(', ');
    return group.paired.filter(one => group.points.length > 1).map(one => `${where ? where + ': ' : ''}${one.words}`);
  });
}

function sweep(run) {
  const points = sweepPoints(run);
  run.swept = points.length > 0;
  if (!run.swept) return null;
  const axes = [...new Set(points.flatMap(point => Object.keys(point.settings)))];
  const names = [...new Set(points.flatMap(point => Object.keys(point.metrics)))];
  const repeats = run.axes.filter(axis => axis.repeats).map(axis => axis.param);
  const varied = axes.filter(axis => !repeats.includes(axis)), groups = settingGroups(run, points, varied);
  const failed = points.filter(point => point.error);
  const pairs = pairsAmong(run, names), words = pairedTexts(groups, varied);
  const drawn = metricGroups(names, pairs, points).slice(0, 6);
  const plotsOf = varied.flatMap(axis => drawn.map(metrics => el('div', { class: 'cell' },
    el('h4', {}, metrics.join(', '), el('small', {}, ` over ${axis}`)), plot(`${metrics.join(', ')} over ${axis}`, overAxis(axis, metrics, groups, varied, pairs)))));
  const many = varied.length > 1 ? (pairs.length > 0 ? pairs[0].b : names[0]) : null;
  const rows = groups.map(group => {
    const most = Math.max(0, ...Object.values(group.metrics).map(sample => sample.n));
    const cell = name => {
      const sample = group.metrics[name] || {};
      return sampleText(sample) + (isNumber(sample.mean) && sample.n < most ? ` (n=${sample.n})` : '');
    };
    return [...group.settings.map(settingText), ...(repeats.length > 0 ? [most === group.points.length ? most : `${most} of ${group.points.length}`] : []), ...names.map(cell), ...(failed.length > 0 ? [group.points.map(point => point.error).filter(Boolean).join('; ')] : [])];
  });
  const columns = [...varied, ...(repeats.length > 0 ? ['n'] : []), ...names, ...(failed.length > 0 ? ['error'] : [])];
  const sources = run.stages.filter(stage => pointOf(stage.name) && stage.metrics && Object.keys(stage.metrics).length > 0 && !run.read.has(stage.name))
    .flatMap(stage => Object.keys(stage.metrics).map(port => sourceOf(run, stage.name, port)));
  const long = rows.length > 12;
  return section(run, 'sweep', 'Sweep',
    el('p', {}, `${plural(points.length, 'point')} over ${axes.join(', ')}${failed.length > 0 ? `; ${plural(failed.length, 'point')} failed` : ''}`),
    run.axes.filter(axis => axis.unused).map(axis => el('p', {}, `${axis.param} reaches no stage of this run: its ${axis.values.length} values give the same results`)),
    words.length > 0 && el('div', { class: 'hero' }, words.map(text => el('p', {}, text))),
    el('div', { class: 'grid' }, plotsOf),
    many && el('div', { class: 'cell wide' }, el('h4', {}, 'all parameters', el('small', {}, ` coloured by ${many}`)), plot(`all parameters and ${many}`, parallel(axes, many, points))),
    long ? el('details', {}, el('summary', {}, `all ${rows.length} settings`), table(columns, rows)) : table(columns, rows),
    repeats.length > 0 && el('p', { class: 'quiet' }, 'mean ± standard deviation over n repetitions, where an artifact that several points share counts once; error bars: one standard deviation to each side'),
    sourcesLine(run, sources));
}
