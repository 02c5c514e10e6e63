// What is compared, P against P0: in words, as a picture, as the table that the run itself printed; whether the difference is more than
// chance.
const against = names => names.map(headingText).join(' against ');

function verdictPlot({ metric, rows }) {
  const accuracy = isAccuracy(metric), values = rows.map(row => (accuracy ? 100 * row.value : row.value));
  const spread = Math.max(Math.max(...values) - Math.min(...values), accuracy ? 2 : 1e-6);
  const domain = [Math.min(...values) - spread * 0.5, Math.max(...values) + spread * 0.5];
  if (accuracy) { domain[0] = Math.max(0, domain[0]); domain[1] = Math.min(100, domain[1]); }
  const sideText = row => `${headingText(row.side)}: ${row.label}`, sides = [...new Set(rows.map(sideText))];
  const data = { values: rows.map((row, i) => ({ data: row.data, side: sideText(row), shown: values[i], text: metricText(metric, row.value), above: row.candidate })) };
  const x = { field: 'shown', type: 'quantitative', title: accuracy ? `${metric} in %` : metric || null, scale: { domain, zero: false, nice: false }, axis: { tickCount: 5 } };
  const y = { field: 'data', type: 'nominal', title: null, sort: ['test', 'training'], axis: { labelFontSize: 13, grid: false, domain: false, ticks: false } };
  const color = { field: 'side', type: 'nominal', title: null, scale: { domain: sides, range: [css('--plot-2'), css('--plot-1')] }, legend: { orient: 'top', labelFontSize: 13, symbolSize: 140, symbolType: 'circle' } };
  const tooltip = [{ field: 'side', title: 'model' }, { field: 'data', title: 'data' }, { field: 'text', title: metric || 'value' }];
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
function mcnemarText(pair) {
  const n = pair.both + pair.neither + pair.only_first + pair.only_second;
  const words = `Of the ${n.toLocaleString('en')} images, ${pair.first_name} alone is right on ${pair.only_first.toLocaleString('en')}, ` +
    `${pair.second_name} alone on ${pair.only_second.toLocaleString('en')} (McNemar's exact test: ${chanceText(pair.p_value)}). `;
  return words + (pair.p_value < 0.05
    ? 'On these images the two trained models differ by more than chance explains; another seed may give other models.'
    : 'On these images the difference between the two may be chance.');
}

function finalTables(run) {
  const read = new Set(run.stages.flatMap(stage => stage.inputs.map(input => input.from)));
  return run.stages.filter(stage => !read.has(stage.name) && (stage.tables || []).length > 0);
}

function verdict(run) {
  const compared = run.comparisons;
  if (compared.length > 1) return null;  // a sweep has its own section
  const parts = [];
  for (const comparison of compared) {
    const notes = (run.byName.get(comparison.stage).tables || []).flatMap(one => one.notes);
    const pair = run.pairs.find(one => one.first === comparison.first && one.second === comparison.second);
    parts.push(el('div', { class: 'hero' },
      notes[0] && el('p', { class: 'verdict' }, notes[0]),
      el('div', { class: 'two' }, plot(against(comparison.names), verdictPlot(comparison)),
        el('div', {}, notes.slice(1).map(note => el('p', {}, note)), pair && el('p', {}, mcnemarText(pair)))),
      sourcesLine(run, comparison.rows.map(row => row.source))));
  }
  const isCompared = stage => compared.some(one => one.stage === stage.name);
  const tables = run.points.length > 0 || run.swept ? [] : finalTables(run);
  for (const stage of tables) {
    for (const one of stage.tables) {
      const long = one.rows.length > 12 || (isCompared(stage) && one.columns[0] === 'epoch');
      const inside = [table(one.columns, one.rows), !isCompared(stage) && one.notes.map(note => el('p', {}, note)),
        sourcesLine(run, (stage.ports || []).map(port => sourceOf(run, stage.name, port.port)))];
      parts.push(long ? el('details', {}, el('summary', {}, `${one.title} (${plural(one.rows.length, 'row')})`), inside)
        : [el('h3', {}, one.title), inside]);
    }
  }
  return section(run, 'verdict', compared.length > 0 ? against(compared[0].names) : 'Results', parts);
}
