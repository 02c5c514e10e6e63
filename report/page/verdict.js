// P against P0: in words, as a picture, as the table that the run itself printed; whether the difference is more than chance.
const metricsAt = (run, reads) => {
  const stage = reads && run.byName.get(reads.from);
  return (stage && stage.metrics && stage.metrics[reads.from_port]) || {};
};
const inputOf = (stage, port) => stage.inputs.find(input => input.port === port);

const SIDES = [['baseline', 'P', 'test'], ['candidate', 'P0', 'test'], ['baseline_train', 'P', 'training'], ['candidate_train', 'P0', 'training']];

function verdictRows(run, stage) {
  const metric = stage.params.metric || 'accuracy';
  return SIDES.map(([port, side, data]) => {
    const name = stage.params[side === 'P' ? 'baseline_name' : 'candidate_name'] || (side === 'P' ? 'baseline' : 'candidate');
    return { side: `${side}: ${name}`, data, value: metricsAt(run, inputOf(stage, port))[metric], metric };
  }).filter(row => isNumber(row.value));
}

function verdictPlot(rows) {
  const accuracy = isAccuracy(rows[0].metric), values = rows.map(row => (accuracy ? 100 * row.value : row.value));
  const spread = Math.max(Math.max(...values) - Math.min(...values), accuracy ? 2 : 1e-6);
  const domain = [Math.min(...values) - spread * 0.5, Math.max(...values) + spread * 0.5];
  if (accuracy) { domain[0] = Math.max(0, domain[0]); domain[1] = Math.min(100, domain[1]); }
  const sides = [...new Set(rows.map(row => row.side))];
  const data = { values: rows.map((row, i) => ({ ...row, shown: values[i], text: metricText(row.metric, row.value), above: row.side.startsWith('P0') })) };
  const x = { field: 'shown', type: 'quantitative', title: accuracy ? `${rows[0].metric} in %` : rows[0].metric, scale: { domain, zero: false, nice: false }, axis: { tickCount: 5 } };
  const y = { field: 'data', type: 'nominal', title: null, sort: ['test', 'training'], axis: { labelFontSize: 13, grid: false, domain: false, ticks: false } };
  const color = { field: 'side', type: 'nominal', title: null, scale: { domain: sides, range: [css('--plot-2'), css('--plot-1')] }, legend: { orient: 'top', labelFontSize: 13, symbolSize: 140, symbolType: 'circle' } };
  const tooltip = [{ field: 'side', title: 'model' }, { field: 'data', title: 'data' }, { field: 'text', title: rows[0].metric }];
  const text = { x, y, text: { field: 'text' }, color };
  return width => ({
    width: width - 4, height: 74 * new Set(rows.map(row => row.data)).size + 60, autosize: { type: 'fit', contains: 'padding' }, data,
    layer: [
      { mark: { type: 'line', strokeWidth: 3, color: css('--line') }, encoding: { x, y, detail: { field: 'data' } } },
      { mark: { type: 'point', filled: true, size: 190, opacity: 1 }, encoding: { x, y, color, tooltip } },
      { transform: [{ filter: 'datum.above' }], mark: { type: 'text', dy: -18, fontSize: 13, fontWeight: 600 }, encoding: text },
      { transform: [{ filter: '!datum.above' }], mark: { type: 'text', dy: 19, fontSize: 13, fontWeight: 600 }, encoding: text },
    ],
  });
}

const chanceText = p => (p < 1e-4 ? 'p < 0.0001' : `p = ${p.toFixed(p < 0.1 ? 4 : 2)}`);
function mcnemarWords(pair) {
  const n = pair.both + pair.neither + pair.only_first + pair.only_second;
  const words = `Of the ${n.toLocaleString('en')} images, ${pair.first_name} alone is right on ${pair.only_first.toLocaleString('en')}, ` +
    `${pair.second_name} alone on ${pair.only_second.toLocaleString('en')} (McNemar's exact test: ${chanceText(pair.p_value)}). `;
  return words + (pair.p_value < 0.05
    ? 'On these images the two trained models differ by more than chance would give; another seed may train others.'
    : 'On these images the two cannot be told apart from chance.');
}

function finalTables(run) {
  const read = new Set(run.stages.flatMap(stage => stage.inputs.map(input => input.from)));
  return run.stages.filter(stage => !read.has(stage.name) && (stage.tables || []).length > 0);
}

function verdict(run) {
  const compares = run.stages.filter(stage => stage.kind === 'compare' && stage.metrics && verdictRows(run, stage).length > 0);
  if (compares.length > 1) return null;  // a sweep has its own section
  const parts = [];
  for (const stage of compares) {
    const rows = verdictRows(run, stage);
    const notes = (stage.tables || []).flatMap(one => one.notes);
    const pair = run.pairs.find(one => one.first === inputOf(stage, 'baseline').from && one.second === inputOf(stage, 'candidate').from);
    parts.push(el('div', { class: 'hero' },
      notes[0] && el('p', { class: 'verdict' }, notes[0]),
      el('div', { class: 'two' }, plot('P against P0', verdictPlot(rows)),
        el('div', {}, notes.slice(1).map(note => el('p', {}, note)), pair && el('p', {}, mcnemarWords(pair)))),
      sourcesLine(run, SIDES.map(([port]) => inputOf(stage, port)).filter(Boolean).map(reads => sourceOf(run, reads.from, reads.from_port)))));
  }
  const tables = run.points.length > 0 || run.swept ? [] : finalTables(run);
  for (const stage of tables) {
    for (const one of stage.tables) {
      const long = one.rows.length > 12 || (compares.includes(stage) && one.columns[0] === 'epoch');
      const inside = [table(one.columns, one.rows), stage.kind !== 'compare' && one.notes.map(note => el('p', {}, note)),
        sourcesLine(run, (stage.ports || []).map(port => sourceOf(run, stage.name, port.port)))];
      parts.push(long ? el('details', {}, el('summary', {}, `${one.title} (${plural(one.rows.length, 'row')})`), inside)
        : [el('h3', {}, one.title), inside]);
    }
  }
  return section(run, 'verdict', compares.length > 0 ? 'P against P0' : 'Results', parts);
}
