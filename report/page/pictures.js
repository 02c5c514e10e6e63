// What the models read and answer: confusion matrices, images on which two models differ, the worst mistakes, noise.
function matrixPlot(matrix) {
  const c = matrix.classes, rows = [];
  const labelled = i => matrix.counts.slice(i * c, (i + 1) * c).reduce((a, b) => a + b, 0);
  for (let i = 0; i < c; ++i) {
    const total = labelled(i);
    for (let j = 0; j < c; ++j) {
      const count = matrix.counts[i * c + j];
      rows.push({ label: i, answer: j, count, share: total > 0 ? count / total : 0, text: count === 0 ? '' : String(count), words: `${count} of ${total} (${total > 0 ? (100 * count / total).toFixed(1) : 0} %)` });
    }
  }
  return width => {
    const side = Math.min(width - 50, 440), x = { field: 'answer', type: 'ordinal', title: 'answer', axis: { labelAngle: 0, orient: 'top', domain: false, ticks: false } };
    const y = { field: 'label', type: 'ordinal', title: 'label', axis: { domain: false, ticks: false } };
    const layer = [{ mark: { type: 'rect', stroke: css('--card'), strokeWidth: 1 }, encoding: { x, y, color: { field: 'share', type: 'quantitative', legend: null, scale: { domain: [0, 1], range: [css('--matrix-low'), css('--plot-1')] } }, tooltip: [{ field: 'label' }, { field: 'answer' }, { field: 'words', title: 'images' }] } }];
    if (c <= 20) layer.push({ mark: { type: 'text', fontSize: side / c > 32 ? 11 : 8.5, tooltip: null }, encoding: { x, y, text: { field: 'text' }, color: { condition: { test: 'datum.share > 0.55', value: css('--on-plot') }, value: css('--ink') } } });
    return { width: side, height: side, data: { values: rows }, layer };
  };
}

function matrixCell(run, matrix, others) {
  const holder = el('div', {}), notes = el('div', {});
  const entry = { matrix };
  const figure = plot('confusion matrix', width => matrixPlot(entry.matrix)(width));
  const show = () => {
    const right = Array.from({ length: entry.matrix.classes }, (_, i) => entry.matrix.counts[i * entry.matrix.classes + i]).reduce((a, b) => a + b, 0);
    notes.replaceChildren(el('p', {}, `${right.toLocaleString('en')} of ${plural(entry.matrix.samples, 'image')} right: ${(100 * right / Math.max(1, entry.matrix.samples)).toFixed(2)} %`), sourcesLine(run, entry.matrix.sources));
  };
  const choice = el('select', { 'aria-label': 'whose confusion matrix', change: event => {
    entry.matrix = others[event.target.value];
    show();
    redraw(plots.filter(one => one.figure === figure));
  } }, others.map((one, i) => el('option', { value: i, selected: one === matrix }, one.stage)));
  show();
  holder.append(choice, figure, notes);
  return el('div', { class: 'cell' }, holder);
}

function matrices(run) {
  if (run.matrices.length === 0) return null;
  const pair = run.pairs[0], at = name => run.matrices.find(matrix => matrix.stage === name);
  const first = (pair && at(pair.first)) || run.matrices[0];
  const second = (pair && at(pair.second)) || run.matrices.find(matrix => matrix !== first);
  return section(run, 'matrices', 'Confusion matrices', el('p', { class: 'quiet' }, 'rows: labels; columns: answers of the model; colour: share of the row'),
    el('div', { class: 'grid wide' }, [first, second].filter(Boolean).map(matrix => matrixCell(run, matrix, run.matrices))));
}

function tile(picture, lines, title) {
  return el('figure', { class: 'tile', title },
    picture ? el('img', { src: picture, alt: title }) : el('div', { class: 'none' }), el('figcaption', {}, lines.map(line => el('div', {}, line))));
}

function differing(run) {
  return section(run, 'differing', 'Where two models differ', run.pairs.map(pair => {
    const rows = [['', `${pair.second_name} right`, `${pair.second_name} wrong`], [`${pair.first_name} right`, pair.both, pair.only_first], [`${pair.first_name} wrong`, pair.only_second, pair.neither]];
    const firstOnly = pair.pictures.filter(one => one.first === one.label), secondOnly = pair.pictures.filter(one => one.second === one.label);
    const tiles = list => el('div', { class: 'tiles' }, list.map(one => tile(one.picture, [`label ${one.label}`, `${one.first} | ${one.second}`], `image ${one.index}: label ${one.label}, ${pair.first_name} says ${one.first}, ${pair.second_name} says ${one.second}`)));
    return [run.pairs.length > 1 && el('h3', {}, `${pair.first} and ${pair.second}`), el('p', {}, mcnemarText(pair)),
      table(rows[0], rows.slice(1), { class: 'small' }),
      firstOnly.length > 0 && [el('h4', {}, `Only ${pair.first_name} is right`, el('small', {}, ` the first ${firstOnly.length} of ${pair.only_first}; below each: ${pair.first_name} | ${pair.second_name}`)), tiles(firstOnly)],
      secondOnly.length > 0 && [el('h4', {}, `Only ${pair.second_name} is right`, el('small', {}, ` the first ${secondOnly.length} of ${pair.only_second}`)), tiles(secondOnly)],
      sourcesLine(run, pair.sources)];
  }));
}

function wrongest(run) {
  const pair = run.pairs[0], first = run.wrong.filter(one => one.pictures.length > 0);
  const shown = pair ? first.filter(one => one.stage === pair.first || one.stage === pair.second) : first;
  const cell = one => [el('h4', {}, one.stage), el('div', { class: 'tiles' }, one.pictures.map(item => tile(item.picture, [`label ${item.label}`, `says ${item.answer}`, numberText(item.output)],
    `image ${item.index}: label ${item.label}, answer ${item.answer} with output ${numberText(item.output)}`))), sourcesLine(run, one.sources)];
  const rest = first.filter(one => !shown.includes(one));
  return section(run, 'wrong', 'Most wrongly classified',
    first.length > 0 && el('p', { class: 'quiet' }, 'wrong answers with the greatest output first'), shown.map(cell),
    rest.length > 0 && el('details', {}, el('summary', {}, `of ${rest.map(one => one.stage).join(', ')}`), rest.map(cell)));
}

function noise(run) {
  return section(run, 'noise', 'Noise and denoising', run.noise.map(gallery => [
    el('div', { class: 'scroll', tabindex: 0 }, el('table', { class: 'gallery' }, gallery.columns.map((column, c) => el('tr', {}, el('th', {}, column.title),
      gallery.rows.map((row, i) => el('td', {}, el('img', { src: row[c], alt: `${column.title} ${i}` })))))))
    , sourcesLine(run, gallery.columns.map(column => column.source))]));
}
